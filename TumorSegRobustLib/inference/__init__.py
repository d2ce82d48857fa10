"""From a scan to a prediction: every member of a package, on what suits the machine."""

from TumorSegRobustLib.inference.backend import Backend
from TumorSegRobustLib.inference.boxes import bounding_box
from TumorSegRobustLib.inference.devices import BACKENDS, DEVICES, PRECISIONS, resolve_device
from TumorSegRobustLib.inference.ensemble import Ensemble
from TumorSegRobustLib.inference.prediction import Prediction

__all__ = [
    "BACKENDS",
    "DEVICES",
    "PRECISIONS",
    "Backend",
    "Ensemble",
    "Prediction",
    "bounding_box",
    "resolve_device",
]
