"""The numbers of the geodesic click operator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GeodesicSettings:
    """Lengths are mm, strengths log-odds.

    Chosen on real scans (head MR of two hospitals, sarcomas in CT, T1 and PET; from nothing, from degraded
    truth and from a network) as the middle of a flat optimum; none is per modality.
    """

    first_reaches_mm: tuple[float, ...] = (8.0, 12.0, 18.0, 27.0, 40.0)
    """What is tried where there is no contour near the click; the most credible region wins."""
    new_lesion_mm: float = 12.0
    """An include click farther than this from the contour may begin a lesion of its own."""
    first_usual_mm: float = 25.0
    """Radius of a lesion of the usual size (65 ml), and ..."""
    first_spread: float = 0.5
    """... the standard deviation of its logarithm: what distinctness is weighed against."""
    first_worth: float = 6.0
    """Log-odds that full distinctness (1 bit) is worth."""
    first_likeness: float = 0.5
    """What looking unlike the clicked spot costs, per distinctness: who clicks a spot means the spot."""
    first_softness: float = 0.5
    first_voxels: int = 12_000
    """The sizes are compared on a coarser grid (see `most_voxels`): what is compared is a few ml at least."""
    reach_per_depth: float = 1.4
    """Reach of any other click, per mm between it and the contour."""
    least_reach_mm: float = 2.0
    most_reach_mm: float = 40.0
    influence_per_reach: float = 3.0
    least_influence_mm: float = 8.0
    most_influence_mm: float = 60.0
    most_change: float = 2.5
    """A click that corrects changes no more than so many balls of its reach, ..."""
    first_most_change: float = 1.2
    """... one that begins a lesion near another contour so many of the reach that it would have there, ..."""
    least_change_mm: float = 8.0
    """... or balls of this radius where the reach is smaller."""
    border_share: float = 0.05
    """Where more than this share of the outermost layer of the region of influence changes ..."""
    growth: float = 1.5
    """... the region grows by this factor."""
    least_context_mm: float = 20.0
    context_per_influence: float = 1.1
    most_voxels: int = 40_000
    softness: float = 0.35
    """Width of a push's border, per reach: the push is 1 at `softness * reach` inside it."""
    push: float = 3.0
    """Largest log-odds of a push."""
    hold: float = 2.0
    """Largest log-odds with which the contour so far resists: as much deep inside or far outside it, ..."""
    hold_mm: float = 4.0
    """... half of it at this distance from the contour, none on it."""
    trust_per_contradiction: float = 0.9
    """What the proposal still resists with, per click after the first that says that it was wrong, ..."""
    least_trust: float = 0.4
    """... but never less. What clicks have changed resists in full."""
    edge_weight: float = 0.5
    edge_quantile: float = 0.7
    edge_most: float = 3.0
    look: float = 2.0
    """Largest log-odds of the look."""
    doubt: float = 0.2
    bins: int = 32
    rounds: int = 3
    sample_mm: float = 4.0
    """Radius of what a click says about the look."""
    click_share: float = 0.3
    """Weight of the clicks' own surroundings in the histograms; the rest is the contour so far."""
    background_mm: float = 20.0
    """How far from the contour background still counts: what the tumour borders on matters most."""
    look_blur_mm: float = 3.0
    blur_mm: float = 1.0
