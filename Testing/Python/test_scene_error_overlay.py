"""Errors against a reference over the scan: two colours that follow the comparison and can be hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from TumorSegRobustLib.image import write_image
from TumorSegRobustLib.scene import ERROR_COLOURS, SceneBinding
from TumorSegRobustLib.workflow import Workflow


@pytest.fixture
def scene() -> Iterator[slicer.vtkMRMLScene]:
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    yield scene
    logic.SetMRMLScene(None)


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    flow = Workflow(work_folder=tmp_path / "work", background=False, rooms=head.toy_rooms())
    yield flow
    flow.close()


@pytest.fixture
def binding(scene: slicer.vtkMRMLScene, workflow: Workflow, tmp_path: Path) -> SceneBinding:
    """A contour beside a reference that lies two voxels further."""
    binding = SceneBinding(scene, workflow)
    workflow.open_image(head.a_head())
    workflow.segment()
    image, mask = workflow.image, workflow.mask
    assert image is not None
    assert mask is not None
    write_image(image.with_voxels(np.roll(mask, 2, 2).astype(np.uint8)), tmp_path / "truth.nii.gz")
    workflow.compare(tmp_path / "truth.nii.gz")
    return binding


def voxels(binding: SceneBinding) -> np.ndarray:
    data = binding.errors.node.GetImageData()
    return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1])


def label_of(scene: slicer.vtkMRMLScene) -> str | None:
    return scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode").GetLabelVolumeID()


def test_missed_and_superfluous_tissue_are_drawn_where_they_are(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    assert np.array_equal(voxels(binding), workflow.error_map)
    assert set(np.unique(voxels(binding))) == {0, 1, 2}
    assert label_of(scene) == binding.errors.node.GetID()


def test_each_kind_has_its_colour_and_agreement_has_none(binding: SceneBinding) -> None:
    table = binding.errors.node.GetDisplayNode().GetColorNode()
    colour = [0.0] * 4
    table.GetColor(0, colour)
    assert colour[3] == 0
    for value, (_, wanted) in ERROR_COLOURS.items():
        table.GetColor(value, colour)
        assert colour == pytest.approx([*wanted, 1.0], abs=0.01)


def test_it_follows_a_correction(workflow: Workflow, binding: SceneBinding) -> None:
    before = voxels(binding).copy()
    workflow.click(head.SATELLITE_MM, True)
    assert not np.array_equal(voxels(binding), before)
    assert np.array_equal(voxels(binding), workflow.error_map)


def test_it_can_be_hidden_and_shown_again(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    binding.errors.show(False)
    assert label_of(scene) is None
    workflow.click(head.SATELLITE_MM, True)
    assert label_of(scene) is None
    binding.errors.show(True)
    assert label_of(scene) == binding.errors.node.GetID()


def test_with_the_reference_it_leaves_the_scene(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    workflow.stop_comparing()
    assert binding.errors.node is None
    assert label_of(scene) is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 0


def test_it_is_a_picture_that_no_list_offers_and_no_scene_file_keeps(binding: SceneBinding) -> None:
    assert binding.errors.node.GetHideFromEditors()
    assert not binding.errors.node.GetSaveWithScene()
