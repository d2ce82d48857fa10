"""Learning from scans without masks: filling in hidden blocks, and knowing a scan by another view of it."""

from __future__ import annotations

from .config import PretrainConfig, read_pretraining
from .pretraining import main, train

__all__ = ["PretrainConfig", "main", "read_pretraining", "train"]
