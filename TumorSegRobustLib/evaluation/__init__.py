"""How good is it? Metrics with a stated policy, sites, statistics, reports, and the simulated reader."""

from TumorSegRobustLib.evaluation.aiming import largest_error
from TumorSegRobustLib.evaluation.curve import Curve, CurveSummary, summarise
from TumorSegRobustLib.evaluation.habits import READERS, Habits, reader_called
from TumorSegRobustLib.evaluation.metrics import (
    MetricPolicy,
    SurfaceDistances,
    dice,
    hd95_mm,
    iou,
    surface_distances,
    volume_error_ml,
)
from TumorSegRobustLib.evaluation.reader import simulate

__all__ = [
    "READERS",
    "Curve",
    "CurveSummary",
    "Habits",
    "MetricPolicy",
    "SurfaceDistances",
    "dice",
    "hd95_mm",
    "iou",
    "largest_error",
    "reader_called",
    "simulate",
    "summarise",
    "surface_distances",
    "volume_error_ml",
]
