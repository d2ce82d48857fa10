"""The module's self test: runs inside Slicer as well as on the stand-ins of Testing/slicer_host."""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .dependencies import Installer


def phantom() -> tuple[Any, Any]:
    """A volume node with a bright ball in a textured background, and the ball: bool (k, j, i)."""
    import numpy as np
    import slicer

    k, j, i = np.indices((16, 40, 40))
    tumour = 9 * (k - 8) ** 2 + (j - 20) ** 2 + (i - 20) ** 2 < 10**2
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Phantom")
    node.SetSpacing(1.0, 1.0, 3.0)
    slicer.util.updateVolumeFromArray(node, (100.0 + 80.0 * tumour + (i + j) % 3).astype(np.float32))
    return node, tumour


def clicks_from_nothing(make_logic: Callable[..., Any]) -> None:
    """Include and exclude a voxel of a bright ball, undo, and compare the scene with the contour."""
    import slicer

    from TumorSegRobustLib.scene import segment_to_mask

    node, tumour = phantom()
    with tempfile.TemporaryDirectory() as folder:
        logic = make_logic(background=False, work_folder=Path(folder))
        logic.begin(slicer.mrmlScene)
        logic.binding.open_volume(node)
        workflow, binding, geometry = logic.workflow, logic.binding, logic.workflow.image.geometry
        centre = geometry.position_of((8, 20, 20))
        workflow.start_empty()
        workflow.click(centre, True)
        included = workflow.mask.copy()
        assert included[8, 20, 20], "the included voxel is not in the contour"
        assert (included & tumour).sum() > 0.5 * included.sum(), "the contour left the ball"
        drawn = segment_to_mask(binding.segmentation, binding.segment_id, geometry)
        assert (drawn == included).all(), "the scene shows another contour than the workflow has"
        workflow.click(centre, False)
        assert not workflow.mask[8, 20, 20], "the excluded voxel is still in the contour"
        workflow.undo()
        assert (workflow.mask == included).all(), "undo did not bring the contour back"
        logic.end()


def a_saved_scene_goes_on(make_logic: Callable[..., Any]) -> None:
    """Save the scene in the middle of a review, close it, load it, and find the same clicks and contour."""
    import slicer

    node, _tumour = phantom()
    with tempfile.TemporaryDirectory() as folder:
        file, options = str(Path(folder) / "review.mrb"), {"background": False, "work_folder": Path(folder)}
        logic = make_logic(**options)
        logic.begin(slicer.mrmlScene)
        logic.binding.open_volume(node)
        logic.workflow.start_empty()
        logic.workflow.click(logic.workflow.image.geometry.position_of((8, 20, 20)), True)
        before, clicks = logic.workflow.mask.copy(), logic.workflow.state.clicks
        assert slicer.mrmlScene.WriteToMRB(file), "the scene was not written"
        logic.end()
        slicer.mrmlScene.Clear(0)
        assert slicer.mrmlScene.ReadFromMRB(file), "the scene was not read"
        logic = make_logic(**options)
        logic.begin(slicer.mrmlScene)
        logic.binding.open_volume(slicer.mrmlScene.GetFirstNode("Phantom", "vtkMRMLScalarVolumeNode"))
        assert logic.binding.resume_kept(), "the scene does not know its review"
        assert logic.workflow.state.clicks == clicks, "other clicks than were saved"
        assert (logic.workflow.mask == before).all(), "another contour than was saved"
        logic.end()


def segments_the_sample(make_logic: Callable[..., Any]) -> None:
    """Open the sample case, segment it, and find a tumour and a judgement."""
    import slicer

    missing = Installer().look().missing
    if missing:
        raise unittest.SkipTest(f"not installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        logic = make_logic(background=False, work_folder=Path(folder))
        logic.begin(slicer.mrmlScene)
        logic.workflow.open_sample()
        logic.workflow.segment()
        state = logic.workflow.state
        assert state.triage_level in ("accept", "review", "reject"), state
        assert state.volume_ml > 1.0, state
        assert logic.binding.segmentation is not None
        logic.end()
