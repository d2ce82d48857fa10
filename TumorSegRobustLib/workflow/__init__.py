"""The toolkit-neutral presenter: what the desktop panel, the browser panel and the command line all drive."""

from ..image import SeriesChoice, SeveralSeries
from .asking import Question
from .channels import ChannelState, label_of
from .choosing import ABOUT_ADAPTING
from .comparing import HOW_TO_BEGIN, error_line, listed, rows_of
from .devices import about_device
from .figures import factors_of, overlap_of
from .journals import EarlierReview, default_work_folder
from .looking import line_of
from .overlay import OVERLAY_KINDS, overlay_choice
from .proposal import Proposal
from .recent import RecentScan
from .rooms import EnsembleFactory, EnsembleLike, Rooms
from .signal import Signal
from .state import COMMANDS, TOOLS, Phase, SegmentState, State, Tool
from .worker import Dispatch, run_now
from .workflow import Workflow

__all__ = [
    "ABOUT_ADAPTING",
    "COMMANDS",
    "HOW_TO_BEGIN",
    "OVERLAY_KINDS",
    "TOOLS",
    "ChannelState",
    "Dispatch",
    "EarlierReview",
    "EnsembleFactory",
    "EnsembleLike",
    "Phase",
    "Proposal",
    "Question",
    "RecentScan",
    "Rooms",
    "SegmentState",
    "SeriesChoice",
    "SeveralSeries",
    "Signal",
    "State",
    "Tool",
    "Workflow",
    "about_device",
    "default_work_folder",
    "error_line",
    "factors_of",
    "label_of",
    "line_of",
    "listed",
    "overlap_of",
    "overlay_choice",
    "rows_of",
    "run_now",
]
