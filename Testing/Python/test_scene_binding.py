"""Nodes follow the workflow, in a bare scene without views: what both panels rely on."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest
import slicer
import vtk

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.scene import (
    SceneBinding,
    image_to_volume,
    mask_to_segment,
    segment_to_mask,
    volume_to_image,
    window_of,
)
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


def test_the_chosen_kind_of_uncertainty_is_kept_and_drawn_where_it_is_known(
    workflow: Workflow, binding: SceneBinding
) -> None:
    workflow.open_image(head.a_head())
    binding.show_overlay(True, kind="mutual_information")
    workflow.start_empty()
    assert binding.overlay_kind == "entropy"
    workflow.segment()
    assert binding.overlay_kind == "mutual_information"
    drawn = volume_to_image(binding.overlay).voxels
    assert np.array_equal(drawn, workflow.overlay("mutual_information")[0])
    assert not np.array_equal(drawn, workflow.overlay("entropy")[0])
    binding.show_overlay(percentile=(20, 80))
    low_high = workflow.overlay("mutual_information", (20, 80))[1:]
    assert window_of(binding.overlay) == pytest.approx(low_high, rel=1e-5)


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


def test_what_is_made_from_scan_and_segments_goes_with_the_binding(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    workflow.click(head.SATELLITE_MM, True)
    binding.show_overlay(True)
    binding.show_surface()
    assert [count(scene, kind) for kind in ("ScalarVolume", "MarkupsFiducial", "Model")] == [2, 2, 1]
    binding.close()
    assert [count(scene, kind) for kind in ("ScalarVolume", "MarkupsFiducial", "Model")] == [1, 0, 0]
    assert count(scene, "Segmentation") == 1


# ------------------------------------------------ several segments


def shown(binding: SceneBinding, segment: int) -> np.ndarray:
    """A review's segment as it is in the scene."""
    return segment_to_mask(binding.segmentation, binding.segments.ids[segment], head.GEOMETRY)


@pytest.fixture
def two(workflow: Workflow, binding: SceneBinding) -> SceneBinding:
    """The proposal, and the satellite as a second segment."""
    workflow.open_image(head.a_head())
    workflow.segment()
    workflow.add_segment("GTVn")
    workflow.click(head.SATELLITE_MM, True)
    return binding


def test_every_segment_of_the_review_is_one_of_the_node(two: SceneBinding, workflow: Workflow) -> None:
    segmentation = two.segmentation.GetSegmentation()
    names = [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]
    assert names == ["GTVp", "GTVn"]
    for segment in workflow.state.segments:
        assert np.array_equal(shown(two, segment.id), workflow.masks[segment.id])
        colour = segmentation.GetSegment(two.segments.ids[segment.id]).GetColor()
        assert np.round(np.multiply(colour, 255)).tolist() == list(segment.colour)


def test_the_node_follows_names_removal_and_undo(two: SceneBinding, workflow: Workflow) -> None:
    segmentation = two.segmentation.GetSegmentation()
    workflow.rename_segment(2, "GTVn_L")
    assert segmentation.GetSegment(two.segments.ids[2]).GetName() == "GTVn_L"
    before = workflow.masks[2]
    workflow.remove_segment(2)
    assert segmentation.GetNumberOfSegments() == 1
    workflow.undo()
    assert np.array_equal(shown(two, 2), before)


def test_the_outline_of_the_active_segment_is_the_strong_one(two: SceneBinding, workflow: Workflow) -> None:
    display = two.segmentation.GetDisplayNode()
    ids = two.segments.ids
    assert display.GetSegmentOpacity2DOutline(ids[2]) == 1.0
    assert display.GetSegmentOpacity2DOutline(ids[1]) < 1.0
    workflow.choose_segment(1)
    assert display.GetSegmentOpacity2DOutline(ids[1]) == 1.0
    assert two.segment_id == ids[1]


def test_marks_and_middle_are_those_of_the_active_segment(two: SceneBinding, workflow: Workflow) -> None:
    assert two.heart_of_tumour() == pytest.approx(head.SATELLITE_MM, abs=4.0)
    workflow.choose_segment(1)
    assert two.heart_of_tumour() == pytest.approx(head.TUMOUR_MM, abs=3.0)
    assert all(not node.GetNumberOfControlPoints() for node in two._markers.values())


def test_every_segment_has_a_surface_of_its_colour(
    scene: slicer.vtkMRMLScene, two: SceneBinding, workflow: Workflow
) -> None:
    two.show_surface()
    assert {id_: s.GetPolyData().GetNumberOfPoints() > 0 for id_, s in two.segments.surfaces.items()} == {
        1: True,
        2: True,
    }
    workflow.remove_segment(2)
    two.show_surface()
    assert count(scene, "Model") == 1


# ------------------------------------------------ painted by the host


def paint_in_host(binding: SceneBinding, masks: dict[int, np.ndarray]) -> None:
    """What Slicer's segment editor does at the end of a stroke."""
    for segment, mask in masks.items():
        mask_to_segment(binding.segmentation, binding.segments.ids[segment], mask, head.GEOMETRY)


def test_what_the_host_paints_is_a_step_of_the_review(two: SceneBinding, workflow: Workflow) -> None:
    before = workflow.masks[2]
    drawn = before | (head.distance_from((-60.0, 0.0, 0.0)) < 8)
    paint_in_host(two, {2: drawn})
    assert np.array_equal(workflow.masks[2], drawn)
    workflow.click((-36.0, 20.0, 12.0), True)
    assert workflow.masks[2][drawn & ~before].all(), "painting survives a click"
    workflow.undo()
    workflow.undo()
    assert np.array_equal(workflow.masks[2], before)
    assert np.array_equal(shown(two, 2), before)


def test_strokes_that_are_faster_than_the_review_are_all_kept(
    scene: slicer.vtkMRMLScene, tmp_path: Path
) -> None:
    arrived: queue.SimpleQueue = queue.SimpleQueue()

    def pump() -> None:
        while not arrived.empty():
            arrived.get()()

    workflow = Workflow(work_folder=tmp_path, dispatch=arrived.put, rooms=head.toy_rooms())
    binding = SceneBinding(scene, workflow)
    for command in (lambda: workflow.open_image(head.a_head()), workflow.segment):
        command()
        assert workflow.wait(30, pump)
    dabs = [head.distance_from((-60.0, y, 0.0)) < 6 for y in (-20.0, 0.0, 20.0)]
    for dab in dabs[:2]:
        paint_in_host(binding, {1: shown(binding, 1) | dab})
    while workflow.state.pending != 1:
        arrived.get(timeout=30)()
    paint_in_host(binding, {1: shown(binding, 1) | dabs[2]})
    assert workflow.wait(30, pump)
    for dab in dabs:
        assert workflow.masks[1][dab].all()
    assert np.array_equal(shown(binding, 1), workflow.masks[1])
    workflow.close()


def test_what_the_host_paints_over_a_locked_segment_goes_back(two: SceneBinding, workflow: Workflow) -> None:
    first, second = workflow.masks[1], workflow.masks[2]
    paint_in_host(two, {2: second | first})
    assert np.array_equal(workflow.masks[1], first)
    assert np.array_equal(workflow.masks[2], second)
    assert np.array_equal(shown(two, 2), second)


def test_erasing_in_the_host_is_painting_too(two: SceneBinding, workflow: Workflow) -> None:
    before = workflow.masks[1]
    left = before & (head.distance_from(head.TUMOUR_MM) > 9)
    paint_in_host(two, {1: left})
    assert np.array_equal(workflow.masks[1], left)
    workflow.undo()
    assert np.array_equal(shown(two, 1), before)


def test_a_brush_of_the_host_that_erases_a_neighbour_does_not_get_past_its_lock(
    two: SceneBinding, workflow: Workflow
) -> None:
    first, second = workflow.masks[1], workflow.masks[2]
    stolen = first & (head.distance_from(head.TUMOUR_MM) < 9)
    nodes, geometry = two.segments, head.GEOMETRY
    with nodes._write():  # both segments change before anybody is told
        paint_in_host(two, {1: first & ~stolen, 2: second | stolen})
    assert set(nodes.painted(workflow.masks, geometry)) == {2}
    two.look_at_edits()
    assert np.array_equal(workflow.masks[1], first)
    assert np.array_equal(shown(two, 1), first)
    assert np.array_equal(shown(two, 2), second)


def test_after_the_end_nobody_listens_to_the_host(two: SceneBinding, workflow: Workflow) -> None:
    before = workflow.masks[2]
    two.close()
    paint_in_host(two, {2: before | (head.distance_from((-60.0, 0.0, 0.0)) < 8)})
    assert workflow.masks[2] is before
