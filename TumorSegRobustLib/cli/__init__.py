"""The command line: one program, `tumorsegrobust`, for all that a panel can do and for scripts."""

from .program import main, run

__all__ = ["main", "run"]
