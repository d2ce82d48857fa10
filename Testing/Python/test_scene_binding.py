"""Nodes follow the workflow, in a bare scene without views: what both panels rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest
import slicer
import vtk

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.scene import SceneBinding, image_to_volume, segment_to_mask, volume_to_image, window_of
from TumorSegRobustLib.workflow import Workflow


@pytest.fixture
def scene() -> Iterator[slicer.vtkMRMLScene]:
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    yield scene
    logic.SetMRMLScene(None)


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    flow = Workflow(work_folder=tmp_path, background=False, rooms=head.toy_rooms())
    yield flow
    flow.close()


@pytest.fixture
def binding(scene: slicer.vtkMRMLScene, workflow: Workflow) -> SceneBinding:
    return SceneBinding(scene, workflow)


def count(scene: slicer.vtkMRMLScene, kind: str) -> int:
    return scene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node")


def test_an_opened_image_becomes_a_volume_with_usual_grey_values(
    workflow: Workflow, binding: SceneBinding
) -> None:
    image = head.a_head()
    workflow.open_image(image)
    shown = volume_to_image(binding.volume)
    assert np.array_equal(shown.voxels, image.voxels)
    assert shown.geometry.matches(image.geometry, 1e-9)
    low, high = window_of(binding.volume)
    assert image.voxels.min() < low < 100 < high <= image.voxels.max()


def test_a_binding_to_a_workflow_under_way_shows_its_scan(
    scene: slicer.vtkMRMLScene, workflow: Workflow
) -> None:
    workflow.open_image(head.a_head())
    assert SceneBinding(scene, workflow).volume.GetName() == "head"


def test_a_volume_of_the_scene_is_shown_itself_and_not_copied(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    node = image_to_volume(scene, head.a_head())
    binding.open_volume(node)
    assert binding.volume is node
    assert count(scene, "ScalarVolume") == 1
    assert np.array_equal(workflow.image.voxels, head.a_head().voxels)


def test_the_contour_lies_where_a_moved_volume_lies(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    node = image_to_volume(scene, head.a_head())
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, -50.0)  # RAS: 50 mm to the left, +x in LPS
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    binding.open_volume(node)
    workflow.segment()
    x, y, z = binding.heart_of_tumour()
    assert (x - 50.0, y, z) == pytest.approx(head.TUMOUR_MM, abs=3.0)
    mask = segment_to_mask(binding.segmentation, binding.segment_id, workflow.image.geometry)
    assert np.array_equal(mask, workflow.mask)


def test_an_unreadable_volume_changes_nothing(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    workflow.open_image(head.a_head())
    with pytest.raises(UnusableInput, match="holds no voxels"):
        binding.open_volume(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
    assert binding.volume.GetName() == "head"
    assert workflow.image.name == "head"


def test_an_adopted_volume_is_never_overwritten_by_the_next_scan(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    own = image_to_volume(scene, head.a_head())
    binding.open_volume(own)
    brighter = Image(head.a_head().voxels + 1, head.GEOMETRY, "second")
    workflow.open_image(brighter)
    assert binding.volume is not own
    assert np.array_equal(volume_to_image(own).voxels, head.a_head().voxels)


def test_one_more_channel_leaves_the_review_alone(workflow: Workflow, binding: SceneBinding) -> None:
    workflow.open_image(head.a_head(), channel="FLAIR")
    workflow.segment()
    segmentation = binding.segmentation
    workflow.open_image(Image(head.a_head().voxels + 5, head.GEOMETRY, "t1c"), channel="T1c")
    assert binding.segmentation is segmentation
    assert binding.volume.GetName() == "head"


def test_the_segment_follows_every_change(workflow: Workflow, binding: SceneBinding) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    for change in (
        lambda: workflow.click(head.SATELLITE_MM, True),
        lambda: workflow.click(head.TUMOUR_MM, False),
        lambda: workflow.paint(head.truth()),
        workflow.undo,
        workflow.undo,
        workflow.redo,
        workflow.start_empty,
    ):
        change()
        shown = segment_to_mask(binding.segmentation, binding.segment_id, head.GEOMETRY)
        assert np.array_equal(shown, workflow.mask)


def test_the_overlay_is_made_only_when_it_is_wanted(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    assert binding.overlay is None
    binding.show_overlay(True, percentile=(10, 90))
    values, low, high = workflow.overlay("entropy", (10, 90))
    assert np.array_equal(volume_to_image(binding.overlay).voxels, values)
    assert window_of(binding.overlay) == pytest.approx((low, high), rel=1e-5)
    binding.show_overlay(kind="disagreement")
    assert np.array_equal(volume_to_image(binding.overlay).voxels, workflow.overlay("disagreement")[0])
    assert count(scene, "ScalarVolume") == 2


def test_an_overlay_wished_for_early_comes_with_the_contour(
    workflow: Workflow, binding: SceneBinding
) -> None:
    binding.show_overlay(True)
    workflow.open_image(head.a_head())
    assert binding.overlay is None
    workflow.segment()
    assert binding.overlay is not None


def test_nodes_of_the_case_lie_under_one_patient(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    parents = {tree.GetItemParent(tree.GetItemByDataNode(n)) for n in (binding.volume, binding.segmentation)}
    (patient,) = parents
    assert tree.GetItemName(patient) == "Patient"


def test_a_closed_binding_follows_no_more(workflow: Workflow, binding: SceneBinding) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    before = segment_to_mask(binding.segmentation, binding.segment_id, head.GEOMETRY)
    binding.close()
    workflow.click(head.SATELLITE_MM, True)
    assert np.array_equal(segment_to_mask(binding.segmentation, binding.segment_id, head.GEOMETRY), before)
