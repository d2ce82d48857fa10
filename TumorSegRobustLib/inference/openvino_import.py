"""OpenVINO as we use it: without its telemetry.

`import openvino` alone sends an event to an analytics service, without asking, as soon as the package
openvino-telemetry (which pip installs with it) can be imported, and leaves an identifier in the user's home.
Where that package cannot be imported OpenVINO uses a stand-in of its own that sends nothing.
"""

from __future__ import annotations

import sys
from typing import Any

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """The module `openvino`; nothing is sent, unless somebody else in this process imported it before us.

    ImportError where OpenVINO is not installed.
    """
    if _TELEMETRY not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # Python's way to make an import fail
    import openvino

    return openvino
