"""How bright each tissue is: ordered priors of the common MR contrasts, and contrasts nobody ever saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from .anatomy import (
    BONE,
    CSF,
    EYE,
    GREY,
    INDEX,
    LABELS,
    MARROW,
    OTHER_BRAIN,
    OTHER_HEAD,
    SKIN,
    SOFT,
    VENTRICLES,
    WHITE,
)
from .draw import Draw

# white, grey, fluid as fractions of a common scale; +1 / -1: tumour usually brighter or darker than brain
PRIORS = {
    "flair": (0.53, 0.57, 0.16, 1),  # white matter is brighter than cortex in a third of the scanners
    "t2": (0.42, 0.55, 0.95, 1),
    "t1": (0.72, 0.55, 0.20, -1),
    "t1c": (0.68, 0.54, 0.20, -1),
}


@dataclass(frozen=True)
class Contrast:
    """`mean`: (classes,) intensity of each compact class; `kind`: flair, t2, t1, t1c or random; `sign` of the
    tumour; `enhancing`: a contrast agent was given.
    """

    kind: str
    mean: torch.Tensor
    sign: int
    white: float
    grey: float
    fluid: float
    fat: float
    muscle: float
    enhancing: bool

    @property
    def bright(self) -> float:
        return max(self.white, self.grey)

    @property
    def dark(self) -> float:
        return min(self.white, self.grey)


def draw_contrast(draw: Draw, kinds: Mapping[str, float]) -> Contrast:
    """A contrast of a kind drawn with the given weights."""
    kind = draw.choice(list(kinds), list(kinds.values()))
    mean = draw.uniforms(len(LABELS), 0.0, 1.0)
    if kind == "random":
        white, grey, fluid = (float(v) for v in draw.uniforms(3, 0.05, 1.0))
        sign = draw.choice((-1, 1))
        mean[0] = draw.uniform(0, 0.15) if draw.chance(0.8) else draw.uniform(0, 1)
        fat, muscle = draw.uniform(), draw.uniform()
    else:
        w, g, f, sign = PRIORS[kind]
        white, grey = w + draw.normal(0, 0.06), g + draw.normal(0, 0.05)
        if draw.chance(0.3):  # thick slices and early echoes: hardly any contrast between the two
            grey = white + draw.normal(0, 0.02)
        fluid = max(0.0, f + draw.normal(0, 0.07))
        mean[0] = draw.uniform(0, 0.06)
        # fat is up to four times as bright as brain in fast spin echo, and dark where it is suppressed
        fat = draw.choice(
            (draw.uniform(0.8, 2.0), draw.uniform(0.4, 0.9), draw.uniform(0.05, 0.35)), (0.6, 0.2, 0.2)
        )
        muscle = draw.uniform(0.2, 0.55)
        _head(mean, draw, kind, fat, muscle)
    for label in WHITE:
        mean[INDEX[label]] = white + draw.normal(0, 0.02)
    for label in (*GREY, *OTHER_BRAIN):
        mean[INDEX[label]] = grey + draw.normal(0, 0.03)
    for label in (*CSF, *VENTRICLES):
        mean[INDEX[label]] = fluid + draw.normal(0, 0.03)
    mean.clamp_(min=0)
    enhancing = kind == "t1c" or (kind == "random" and draw.chance(0.3))
    return Contrast(kind, mean, sign, white, grey, fluid, fat, muscle, enhancing)


def _head(mean: torch.Tensor, draw: Draw, kind: str, fat: float, muscle: float) -> None:
    mean[INDEX[BONE]] = draw.uniform(0.0, 0.15)
    mean[INDEX[MARROW]] = draw.choice((draw.uniform(0.3, 1.0), draw.uniform(0.05, 0.4)), (0.6, 0.4))
    mean[INDEX[SKIN]] = draw.uniform(0.3, 1.0) * max(fat, muscle)
    mean[INDEX[SOFT]] = muscle
    mean[INDEX[EYE]] = draw.uniform(0.7, 1.2) if kind == "t2" else draw.uniform(0.05, 0.45)
    for label in OTHER_HEAD:
        mean[INDEX[label]] = draw.choice(
            (draw.uniform(0.0, 0.2), draw.uniform(0.2, 0.7), draw.uniform(0.7, 1.4)), (0.5, 0.3, 0.2)
        )
