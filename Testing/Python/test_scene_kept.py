"""A scene with several scans keeps each one's review; edits of a host other than painting are steps of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest
import slicer

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.scene import (
    SceneBinding,
    image_to_volume,
    kept_review,
    mask_to_segment,
    other_segments,
    place_in_words,
    segment_to_mask,
)
from TumorSegRobustLib.scene.kept_review import numbered_segments
from TumorSegRobustLib.scene.terminology import entry_of, tag_of
from TumorSegRobustLib.workflow import Workflow


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[slicer.vtkMRMLScene]:
    """A scene that can read and write MRB files."""
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    cache, files = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(str(tmp_path / "cache"))
    files.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(files)
    yield scene
    logic.SetMRMLScene(None)


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    flow = Workflow(work_folder=tmp_path / "work", background=False, rooms=head.toy_rooms())
    yield flow
    flow.close()


@pytest.fixture
def binding(scene: slicer.vtkMRMLScene, workflow: Workflow) -> SceneBinding:
    return SceneBinding(scene, workflow, several_scans=True)


@pytest.fixture
def reviewed(scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding) -> SceneBinding:
    """The head as a volume of the scene, segmented, with a second segment in which a click was made."""
    binding.open_volume(image_to_volume(scene, head.a_head()))
    workflow.segment()
    workflow.add_segment("GTVn")
    workflow.click(head.SATELLITE_MM, True)
    return binding


def masks_of(binding: SceneBinding) -> dict[int, np.ndarray]:
    ids = binding.segments.ids
    return {n: segment_to_mask(binding.segmentation, id_, head.GEOMETRY) for n, id_ in ids.items()}


def of_class(scene: slicer.vtkMRMLScene, kind: str) -> list[str]:
    name = f"vtkMRML{kind}Node"
    return [scene.GetNthNodeByClass(n, name).GetName() for n in range(scene.GetNumberOfNodesByClass(name))]


# ------------------------------------------------ several scans


def test_another_scan_puts_the_contour_out_of_sight_and_back_again(
    scene: slicer.vtkMRMLScene, workflow: Workflow, reviewed: SceneBinding
) -> None:
    first, shown = reviewed.volume, reviewed.segmentation
    before, chosen = masks_of(reviewed), reviewed.segment_id
    second = image_to_volume(scene, Image(head.a_head().voxels + 1, head.GEOMETRY, "second"))
    reviewed.open_volume(second)
    assert not shown.GetDisplayNode().GetVisibility()
    assert not reviewed.resume_kept()
    workflow.start_empty()
    assert reviewed.segmentation is not shown
    reviewed.open_volume(first)
    assert workflow.state.phase == "ready"
    assert reviewed.resume_kept()
    assert reviewed.segmentation is shown
    assert shown.GetDisplayNode().GetVisibility()
    assert reviewed.segment_id == chosen
    assert all(np.array_equal(mask, before[number]) for number, mask in masks_of(reviewed).items())
    assert len(of_class(scene, "Segmentation")) == 2


def test_segmenting_anew_uses_the_node_of_the_scan(
    scene: slicer.vtkMRMLScene, workflow: Workflow, reviewed: SceneBinding
) -> None:
    before = kept_review(scene, reviewed.volume)
    workflow.start_empty()
    after = kept_review(scene, reviewed.volume)
    assert after.node is before.node
    assert after.name != before.name
    assert not masks_of(reviewed)[1].any()
    assert list(numbered_segments(after.node)) == [1]


def test_a_finished_review_is_finished_when_its_scan_is_chosen_again(
    scene: slicer.vtkMRMLScene, workflow: Workflow, reviewed: SceneBinding
) -> None:
    first = reviewed.volume
    workflow.accept("Dr Example")
    reviewed.open_volume(image_to_volume(scene, Image(head.a_head().voxels + 1, head.GEOMETRY, "second")))
    reviewed.open_volume(first)
    assert reviewed.resume_kept()
    assert (workflow.state.phase, workflow.state.accepted_by) == ("accepted", "Dr Example")


def test_without_several_scans_only_the_open_one_is_in_the_scene(
    scene: slicer.vtkMRMLScene, workflow: Workflow
) -> None:
    binding = SceneBinding(scene, workflow)
    workflow.open_image(head.a_head())
    workflow.segment()
    assert kept_review(scene, binding.volume) is None
    workflow.open_image(Image(head.a_head().voxels + 1, head.GEOMETRY, "second"))
    assert of_class(scene, "ScalarVolume") == ["second"]
    assert of_class(scene, "Segmentation") == []


# ------------------------------------------------ saved scenes


def saved_and_loaded(scene: slicer.vtkMRMLScene, binding: SceneBinding, folder: Path) -> slicer.vtkMRMLNode:
    """The scene after a way through an MRB file; its only volume."""
    assert scene.WriteToMRB(str(folder / "scene.mrb"))
    binding.close()
    scene.Clear(0)
    assert scene.ReadFromMRB(str(folder / "scene.mrb"))
    return scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")


def test_a_loaded_scene_goes_on_where_it_was_saved(
    scene: slicer.vtkMRMLScene, workflow: Workflow, reviewed: SceneBinding, tmp_path: Path
) -> None:
    before, clicks = masks_of(reviewed), workflow.state.clicks
    volume = saved_and_loaded(scene, reviewed, tmp_path)
    assert of_class(scene, "MarkupsFiducial") == []
    binding = SceneBinding(scene, workflow, several_scans=True)
    binding.open_volume(volume)
    assert binding.resume_kept()
    assert workflow.state.clicks == clicks
    assert [segment.active for segment in workflow.state.segments] == [False, True]
    assert all(np.array_equal(mask, before[number]) for number, mask in masks_of(binding).items())
    assert of_class(scene, "Segmentation") == ["Tumour"]
    workflow.undo()
    assert not masks_of(binding)[2].any()


def test_a_journal_that_moved_with_the_work_folder_is_found(
    scene: slicer.vtkMRMLScene, workflow: Workflow, reviewed: SceneBinding, tmp_path: Path
) -> None:
    volume = saved_and_loaded(scene, reviewed, tmp_path)
    workflow.close()
    shutil.move(tmp_path / "work", tmp_path / "elsewhere")
    moved = Workflow(work_folder=tmp_path / "elsewhere", background=False, rooms=head.toy_rooms())
    binding = SceneBinding(scene, moved, several_scans=True)
    binding.open_volume(volume)
    assert binding.resume_kept()
    assert len(moved.state.clicks) == 1
    moved.close()


def test_without_its_journal_the_contour_stays_and_that_is_told(
    scene: slicer.vtkMRMLScene, workflow: Workflow, reviewed: SceneBinding, tmp_path: Path
) -> None:
    volume = saved_and_loaded(scene, reviewed, tmp_path)
    workflow.close()
    shutil.rmtree(tmp_path / "work")
    other = Workflow(work_folder=tmp_path / "other", background=False, rooms=head.toy_rooms())
    binding = SceneBinding(scene, other, several_scans=True)
    binding.open_volume(volume)
    with pytest.raises(UnusableInput, match=r"not on this computer .* in the scene as Tumour \(saved\)"):
        binding.resume_kept()
    assert other.state.phase == "ready"
    assert kept_review(scene, volume) is None
    other.start_empty()
    assert of_class(scene, "Segmentation") == ["Tumour (saved)", "Tumour"]
    (first, _node, id_), *_ = other_segments(scene, binding.segmentation)
    assert first == "Tumour (saved): GTVp"
    saved = scene.GetFirstNode("Tumour (saved)", "vtkMRMLSegmentationNode")
    assert segment_to_mask(saved, id_, head.GEOMETRY).any()
    other.close()


def test_a_damaged_journal_is_told_and_its_contour_is_not_drawn_over(
    scene: slicer.vtkMRMLScene, workflow: Workflow, reviewed: SceneBinding, tmp_path: Path
) -> None:
    journal = workflow.session.journal_path
    volume = saved_and_loaded(scene, reviewed, tmp_path)
    workflow.close()
    journal.write_text("no journal\n")
    again = Workflow(work_folder=tmp_path / "work", background=False, rooms=head.toy_rooms())
    binding = SceneBinding(scene, again, several_scans=True)
    binding.open_volume(volume)
    with pytest.raises(UnusableInput):
        binding.resume_kept()
    again.start_empty()
    assert of_class(scene, "Segmentation") == ["Tumour (saved)", "Tumour"]
    again.close()


# ------------------------------------------------ what a host does besides painting


def test_a_segment_added_in_the_host_is_one_of_the_review(reviewed: SceneBinding, workflow: Workflow) -> None:
    segmentation = reviewed.segmentation.GetSegmentation()
    made = segmentation.AddEmptySegment("", "Oedema", [0.2, 0.4, 0.6])
    assert [segment.name for segment in workflow.state.segments] == ["GTVp", "GTVn", "Oedema"]
    number = workflow.state.segments[-1].id
    assert reviewed.segments.ids[number] == made
    assert segmentation.GetNumberOfSegments() == 3
    around = head.distance_from((0.0, 60.0, 0.0)) < 9
    mask_to_segment(reviewed.segmentation, made, around, head.GEOMETRY)
    assert np.array_equal(workflow.masks[number], around)
    assert segmentation.GetSegment(made).GetColor() == (0.2, 0.4, 0.6)


def test_a_segment_renamed_or_coloured_in_the_host_stays_so(
    reviewed: SceneBinding, workflow: Workflow
) -> None:
    there = reviewed.segmentation.GetSegmentation().GetSegment(reviewed.segments.ids[2])
    there.SetName("GTVn_L")
    there.SetColor(0.1, 0.2, 0.3)
    assert workflow.state.segments[1].name == "GTVn_L"
    workflow.click(head.SATELLITE_MM, False)
    assert (there.GetName(), there.GetColor()) == ("GTVn_L", (0.1, 0.2, 0.3))


def test_a_segment_removed_in_the_host_comes_back_by_undo(reviewed: SceneBinding, workflow: Workflow) -> None:
    before = masks_of(reviewed)[2]
    segmentation = reviewed.segmentation.GetSegmentation()
    segmentation.RemoveSegment(reviewed.segments.ids[2])
    assert [segment.name for segment in workflow.state.segments] == ["GTVp"]
    workflow.undo()
    assert np.array_equal(masks_of(reviewed)[2], before)


def test_the_first_segment_cannot_be_removed_in_the_host(reviewed: SceneBinding, workflow: Workflow) -> None:
    before = masks_of(reviewed)[1]
    reviewed.segmentation.GetSegmentation().RemoveSegment(reviewed.segments.ids[1])
    assert "the review began with it" in workflow.state.error
    assert np.array_equal(masks_of(reviewed)[1], before)


def test_a_mask_erased_as_a_whole_is_noticed_when_looked_for(
    reviewed: SceneBinding, workflow: Workflow
) -> None:
    nothing = np.zeros(head.GEOMETRY.shape, bool)
    with reviewed.segments._write():  # as where the application tells nobody
        mask_to_segment(reviewed.segmentation, reviewed.segment_id, nothing, head.GEOMETRY)
    assert workflow.mask.any()
    reviewed.look_at_edits()
    assert not workflow.mask.any()


# ------------------------------------------------ codes and places


@pytest.mark.parametrize(
    ("name", "code"),
    [("GTVp", "108369006^Neoplasm"), ("Necrosis", "6574001^Necrosis"), ("Oedema", "79654002^Edema")],
)
def test_slicer_reads_the_codes_that_a_segment_is_given(name: str, code: str) -> None:
    logic, entry = slicer.vtkSlicerTerminologiesModuleLogic(), slicer.vtkSlicerTerminologyEntry()
    assert logic.DeserializeTerminologyEntry(entry_of(name), entry)
    kind = entry.GetTypeObject()
    assert f"{kind.GetCodeValue()}^{kind.GetCodeMeaning()}" == code
    assert kind.GetCodingSchemeDesignator() == "SCT"
    assert logic.SerializeTerminologyEntry(entry) == entry_of(name)


def test_segments_carry_codes_which_follow_the_name_unless_somebody_chose_others(
    reviewed: SceneBinding, workflow: Workflow
) -> None:
    segmentation = reviewed.segmentation.GetSegmentation()
    first, second = (segmentation.GetSegment(reviewed.segments.ids[number]) for number in (1, 2))
    tag = first.GetTerminologyEntryTagName()
    assert tag_of(first, tag) == entry_of("GTVp")
    workflow.rename_segment(2, "Necrosis")
    assert tag_of(second, tag) == entry_of("Necrosis")
    second.SetTag(tag, "chosen in the Segment Editor")
    workflow.rename_segment(2, "Oedema")
    assert tag_of(second, tag) == "chosen in the Segment Editor"


def test_the_contour_of_a_dicom_volume_lies_in_its_study(
    scene: slicer.vtkMRMLScene, workflow: Workflow, binding: SceneBinding
) -> None:
    volume = image_to_volume(scene, head.a_head())
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = tree.CreateSubjectItem(tree.GetSceneItemID(), "P1")
    study = tree.CreateStudyItem(patient, "Day 1")
    tree.CreateItem(study, volume)
    binding.open_volume(volume)
    workflow.segment()
    assert tree.GetItemParent(tree.GetItemByDataNode(volume)) == study
    assert tree.GetItemParent(tree.GetItemByDataNode(binding.segmentation)) == study
    assert not tree.GetItemChildWithName(tree.GetSceneItemID(), "Patient")


def test_a_place_is_told_in_patient_directions() -> None:
    assert place_in_words((33.4, -20.6, 12.0)) == "L33 A21 S12"
    assert place_in_words((-1.0, 2.0, -3.0)) == "R1 P2 I3"
