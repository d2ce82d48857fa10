"""The module `vtk` without what nobody asks for.

trame-slicer takes a handful of names from `vtk`. Imported as it is, that module loads the hundred libraries
of VTK that Slicer itself leaves alone: half a second of every start, and many seconds where the disk is cold.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

# Homes of names that trame-slicer and `scene` take from `vtk`, and that Slicer's modules do not load.
_HOMES = ("vtkmodules.vtkInteractionWidgets", "vtkmodules.util.misc", "vtkmodules.util.vtkConstants")


class _Names(ModuleType):
    """Gives names from the modules of VTK that are loaded; for one that is in none, it loads them all."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # A copy, for another thread may be importing something meanwhile.
        loaded = [module for key, module in list(sys.modules.items()) if key.startswith("vtkmodules.")]
        home = next((module for module in loaded if name in vars(module)), None)
        value = getattr(home or import_module("vtkmodules.all"), name)
        setattr(self, name, value)
        return value


def be_sparing() -> None:
    """From now on `import vtk` loads nothing by itself. Without effect where it was imported before."""
    if "vtk" in sys.modules:
        return
    for home in _HOMES:
        import_module(home)
    names = _Names("vtk", __doc__)
    package = sys.modules["vtkmodules"]
    names.__path__ = package.__path__  # where `vtk.util` is
    names.__version__ = package.__version__  # type: ignore[attr-defined]
    sys.modules["vtk"] = names
