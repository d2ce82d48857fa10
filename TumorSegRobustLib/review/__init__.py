"""What the clinician does to a contour: clicks, painting, undo, acceptance; and the journal that remembers
it.
"""

from TumorSegRobustLib.review.click import Box, Click, ClickResult, Seed
from TumorSegRobustLib.review.click_files import read_clicks, read_segment_clicks
from TumorSegRobustLib.review.events import Acceptance
from TumorSegRobustLib.review.geodesic import GeodesicRefiner
from TumorSegRobustLib.review.journal import Journal
from TumorSegRobustLib.review.refiner import Refinement, Refiner, Situation
from TumorSegRobustLib.review.replay import replay_journal, replay_segments
from TumorSegRobustLib.review.segment import Segment
from TumorSegRobustLib.review.session import ReviewSession
from TumorSegRobustLib.review.verify import JournalReport, verify_journal

__all__ = [
    "Acceptance",
    "Box",
    "Click",
    "ClickResult",
    "GeodesicRefiner",
    "Journal",
    "JournalReport",
    "Refinement",
    "Refiner",
    "ReviewSession",
    "Seed",
    "Segment",
    "Situation",
    "read_clicks",
    "read_segment_clicks",
    "replay_journal",
    "replay_segments",
    "verify_journal",
]
