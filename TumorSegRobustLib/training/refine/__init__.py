"""Stage 2: a network that corrects the geodesic operator at every click, trained on generated reviews."""

from .config import RefineConfig, read_refine_config
from .training import main, train

__all__ = ["RefineConfig", "main", "read_refine_config", "train"]
