"""Runs the unittest cases of one scripted module on the stand-ins, as `slicer.testing.runUnitTest` in Slicer.

python Testing/slicer_host/run_unittest.py <folder>/TumorSegRobust.py
python Testing/slicer_host/run_unittest.py <folder>/TumorSegRobust.py --generic   opens the panel, no more
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any


def main() -> int:
    script = Path(sys.argv[1]).resolve()
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import slicer_host

    host = slicer_host.start()
    module = host.load_module(script)
    if sys.argv[2:] == ["--generic"]:
        open_and_close(host, module)
        return 0
    suite = unittest.TestLoader().loadTestsFromTestCase(getattr(module, f"{script.stem}Test"))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


def open_and_close(host: Any, module: Any) -> None:
    """The panel is made, entered, left and taken away; whatever fails raises."""
    widget = host.open_panel(module)
    widget.exit()
    widget.cleanup()


if __name__ == "__main__":
    sys.exit(main())
