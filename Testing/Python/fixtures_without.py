"""The program in a process that does not find some of the libraries that lie in its environment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

TORCH, OPENVINO = ("torch", "monai", "onnx"), ("openvino",)
_PROGRAM = """
import sys
from importlib.machinery import PathFinder

hidden = sys.argv.pop(1).split(",")

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in hidden else PathFinder.find_spec(name, path, target)

sys.meta_path = [Finder if one is PathFinder else one for one in sys.meta_path]
from TumorSegRobustLib.cli import main
main()
"""


def command_without(hidden: Sequence[str], *words: object) -> list[str]:
    """One line of the command line."""
    return [sys.executable, "-c", _PROGRAM, ",".join(hidden), *map(str, words)]
