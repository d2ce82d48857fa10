"""How good is it? Metrics with a stated policy, sites, statistics, reports, and the simulated reader."""

from TumorSegRobustLib.evaluation.metrics import (
    MetricPolicy,
    SurfaceDistances,
    dice,
    hd95_mm,
    iou,
    surface_distances,
    volume_error_ml,
)
from TumorSegRobustLib.evaluation.reader import Curve, largest_error, simulate

__all__ = [
    "Curve",
    "MetricPolicy",
    "SurfaceDistances",
    "dice",
    "hd95_mm",
    "iou",
    "largest_error",
    "simulate",
    "surface_distances",
    "volume_error_ml",
]
