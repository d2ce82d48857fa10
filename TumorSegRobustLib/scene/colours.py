"""Colour table of the uncertainty overlay, built in code: a bare scene has no perceptually uniform one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from slicer import vtkMRMLColorTableNode, vtkMRMLScene

TABLE_NAME = "TumorSegRobust uncertainty"
# Nine stops from dark violet over red and orange to pale yellow with steadily rising lightness, in the manner
# of the "inferno" map of N. Smith and S. van der Walt (2015): ordered for the colour-blind and in grey print.
_STOPS = (
    np.array(
        [
            [50, 10, 94],
            [91, 15, 109],
            [130, 32, 107],
            [168, 46, 95],
            [203, 65, 73],
            [230, 93, 47],
            [247, 131, 17],
            [252, 180, 31],
            [244, 234, 112],
        ]
    )
    / 255.0
)


def uncertainty_colours(count: int = 256) -> NDArray[np.float64]:
    """(count, 3) RGB in 0..1, from certain to uncertain."""
    place = np.linspace(0, len(_STOPS) - 1, count)
    return np.stack(
        [np.interp(place, np.arange(len(_STOPS)), _STOPS[:, channel]) for channel in range(3)], axis=1
    )


def uncertainty_table(scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    """The scene's uncertainty colour table, made at first use."""
    found = scene.GetFirstNode(TABLE_NAME, "vtkMRMLColorTableNode")
    if found is not None:
        return found
    table = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    table.UnRegister(None)
    table.SetName(TABLE_NAME)
    table.SetTypeToUser()
    colours = uncertainty_colours()
    table.SetNumberOfColors(len(colours))
    for index, colour in enumerate(colours):
        table.SetColor(index, f"{index}", *colour.tolist(), 1.0)
    table.SetHideFromEditors(False)
    return scene.AddNode(table)
