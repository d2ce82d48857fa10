"""The toolkit-neutral presenter: what the desktop panel, the browser panel and the command line all drive."""

from .journals import Unfinished, default_work_folder
from .looking import line_of
from .proposal import Proposal
from .rooms import EnsembleFactory, EnsembleLike, Rooms
from .signal import Signal
from .state import COMMANDS, TOOLS, Phase, SegmentState, State, Tool
from .worker import Dispatch, run_now
from .workflow import Workflow

__all__ = [
    "COMMANDS",
    "TOOLS",
    "Dispatch",
    "EnsembleFactory",
    "EnsembleLike",
    "Phase",
    "Proposal",
    "Rooms",
    "SegmentState",
    "Signal",
    "State",
    "Tool",
    "Unfinished",
    "Workflow",
    "default_work_folder",
    "line_of",
    "run_now",
]
