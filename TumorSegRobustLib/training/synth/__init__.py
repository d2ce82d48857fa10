"""Heads with tumours that never existed: anatomy from label maps, everything else drawn at random.

The idea is SynthSeg's (Billot et al., 2023): a network that has seen every contrast and resolution finds no scanner strange.
"""

from .anatomy import Anatomy, load_anatomies
from .draw import Draw
from .generator import HeadGenerator, Sample, SynthConfig

__all__ = ["Anatomy", "Draw", "HeadGenerator", "Sample", "SynthConfig", "load_anatomies"]
