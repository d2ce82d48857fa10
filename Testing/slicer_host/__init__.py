"""Small stand-ins for what only the Slicer application has, so that the desktop module runs in tests.

The MRML scene, nodes, logics and `slicer.util` are real (slicer-core). Written here from Slicer's public
documentation: `slicer.mrmlScene`, `slicer.app`, `slicer.modules`, `slicer.ScriptedLoadableModule`,
`slicer.i18n`, and `qt`, `ctk`, `qMRML*` look-alikes on PySide6. Whatever is not written here raises: a
stand-in that accepts everything proves nothing.
What these prove and what they cannot: `docs/testing.md`.
"""

from .host import Host, start

__all__ = ["Host", "start"]
