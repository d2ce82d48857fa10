"""How far to trust a prediction: uncertainty maps, expected quality, shift from training, a level."""

from TumorSegRobustLib.trust.agreement import expected_dice, pairwise_dice
from TumorSegRobustLib.trust.assessment import Assessment, assess
from TumorSegRobustLib.trust.lesions import Lesion, find_lesions
from TumorSegRobustLib.trust.live import LiveQuality
from TumorSegRobustLib.trust.places import Place, PlaceSettings, find_places, lean_of, surroundings
from TumorSegRobustLib.trust.quality import Quality, predict_quality
from TumorSegRobustLib.trust.shift import Shift, fingerprint_ranges, image_fingerprint, measure_shift
from TumorSegRobustLib.trust.triage import DEFAULT_TRIAGE, Evidence, triage
from TumorSegRobustLib.trust.uncertainty import UncertaintyMaps, binary_entropy, uncertainty_maps

__all__ = [
    "DEFAULT_TRIAGE",
    "Assessment",
    "Evidence",
    "Lesion",
    "LiveQuality",
    "Place",
    "PlaceSettings",
    "Quality",
    "Shift",
    "UncertaintyMaps",
    "assess",
    "binary_entropy",
    "expected_dice",
    "find_lesions",
    "find_places",
    "fingerprint_ranges",
    "image_fingerprint",
    "lean_of",
    "measure_shift",
    "pairwise_dice",
    "predict_quality",
    "surroundings",
    "triage",
    "uncertainty_maps",
]
