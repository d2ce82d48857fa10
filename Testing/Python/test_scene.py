"""Image, mask and clicks survive the way into a scene and back, wherever and however the scan lies."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import slicer
import vtk

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import Click
from TumorSegRobustLib.scene import (
    PlacedClicks,
    clicks_to_fiducials,
    create_fiducials,
    create_segmentation,
    create_surface,
    fiducials_to_clicks,
    file_under_patient,
    heart_of,
    image_to_volume,
    jump_to,
    lps_of,
    mask_to_segment,
    overlay_volume,
    ras_of,
    segment_to_mask,
    uncertainty_colours,
    uncertainty_table,
    update_surface,
    usual_window,
    volume_to_image,
    window_of,
)

SHAPE = (3, 4, 5)
SPACING = (0.9, 1.1, 4.0)
ORIGIN = (-12.5, 30.25, -7.0)


def orientations() -> list[tuple[float, ...]]:
    """The 48 ways in which axes can be ordered and flipped, and two oblique ones (one left-handed)."""
    plain = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[axes, range(3)] = signs
            plain.append(tuple(matrix.ravel()))
    turn = oblique()
    return [*plain, tuple(turn.ravel()), tuple((turn @ np.diag([1, 1, -1])).ravel())]


def name_of(direction: tuple[float, ...]) -> str:
    whole = all(value in (0.0, 1.0, -1.0) for value in direction)
    return ("" if whole else "oblique-") + Geometry(SHAPE, SPACING, ORIGIN, direction).orientation


def oblique() -> np.ndarray:
    a, b = np.radians(17.0), np.radians(-23.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return about_x @ about_z


@pytest.fixture
def scene() -> Iterator[slicer.vtkMRMLScene]:
    """A bare scene; the segmentations logic, which every host has, brings labelmaps along."""
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    yield scene
    logic.SetMRMLScene(None)


@pytest.fixture(params=orientations(), ids=lambda axes: name_of(axes))
def anywhere(request: pytest.FixtureRequest) -> Geometry:
    return Geometry(SHAPE, SPACING, ORIGIN, request.param)


def an_image(geometry: Geometry, dtype: type = np.float32) -> Image:
    return Image(np.arange(np.prod(geometry.shape), dtype=dtype).reshape(geometry.shape), geometry, "flair")


def a_mask(geometry: Geometry) -> np.ndarray:
    return np.random.default_rng(3).random(geometry.shape) > 0.6


def move(scene: slicer.vtkMRMLScene, node: slicer.vtkMRMLTransformableNode, matrix: np.ndarray) -> None:
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    values = vtk.vtkMatrix4x4()
    values.DeepCopy(matrix.ravel().tolist())
    transform.SetMatrixTransformToParent(values)
    node.SetAndObserveTransformNodeID(transform.GetID())


# ---------------------------------------------------------------- volumes


def test_lps_and_ras_differ_in_two_signs() -> None:
    assert ras_of((1.0, 2.0, 3.0)).tolist() == [-1.0, -2.0, 3.0]
    assert lps_of((1.0, 2.0, 3.0)) == (-1.0, -2.0, 3.0)


def test_image_returns_as_it_went(scene: slicer.vtkMRMLScene, anywhere: Geometry) -> None:
    image = an_image(anywhere)
    back = volume_to_image(image_to_volume(scene, image))
    assert back.geometry.matches(anywhere, 1e-9)
    assert back.geometry.orientation == anywhere.orientation
    assert np.array_equal(back.voxels, image.voxels)
    assert back.name == "flair"


def test_voxels_lie_where_slicer_looks_for_them(scene: slicer.vtkMRMLScene, anywhere: Geometry) -> None:
    image = an_image(anywhere)
    node = image_to_volume(scene, image)
    to_ijk = vtk.vtkMatrix4x4()
    node.GetRASToIJKMatrix(to_ijk)
    for index in itertools.product(range(2), range(3), range(4)):
        ras = [*ras_of(anywhere.position_of(index)), 1.0]
        i, j, k = (round(v) for v in to_ijk.MultiplyPoint(ras)[:3])
        assert (k, j, i) == index
        assert node.GetImageData().GetScalarComponentAsDouble(i, j, k, 0) == image.voxels[index]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_voxel_type_is_kept(scene: slicer.vtkMRMLScene, dtype: type) -> None:
    back = volume_to_image(image_to_volume(scene, an_image(Geometry(SHAPE), dtype)))
    assert back.voxels.dtype == dtype


def test_voxels_are_copies_both_ways(scene: slicer.vtkMRMLScene) -> None:
    image = an_image(Geometry(SHAPE))
    node = image_to_volume(scene, image)
    image.voxels[:] = 0
    first, second = volume_to_image(node), volume_to_image(node)
    assert first.voxels[1, 2, 3] == 33
    first.voxels[:] = 0
    assert second.voxels[1, 2, 3] == 33


def test_a_node_is_refilled(scene: slicer.vtkMRMLScene) -> None:
    node = image_to_volume(scene, an_image(Geometry(SHAPE)))
    other = Geometry((4, 4, 4), (2.0, 2.0, 2.0))
    assert image_to_volume(scene, an_image(other), node) is node
    assert volume_to_image(node).geometry == other
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_parent_transforms_count(scene: slicer.vtkMRMLScene, anywhere: Geometry) -> None:
    node = image_to_volume(scene, an_image(anywhere))
    turn = np.eye(4)
    turn[:3, :3] = oblique()
    turn[:3, 3] = (5.0, -6.0, 7.0)
    move(scene, node, turn)
    index = np.array([2, 1, 3])
    expected = turn @ [*ras_of(anywhere.position_of(index)), 1.0]
    assert np.allclose(volume_to_image(node).geometry.position_of(index), lps_of(expected[:3]), atol=1e-6)


def test_a_shearing_transform_is_refused(scene: slicer.vtkMRMLScene) -> None:
    node = image_to_volume(scene, an_image(Geometry(SHAPE)))
    shear = np.eye(4)
    shear[0, 1] = 0.2
    move(scene, node, shear)
    with pytest.raises(UnusableInput, match=r"flair.*not perpendicular"):
        volume_to_image(node)


def test_a_bending_transform_is_refused(scene: slicer.vtkMRMLScene) -> None:
    node = image_to_volume(scene, an_image(Geometry(SHAPE)))
    warp = scene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    spline = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    moved = vtk.vtkPoints()
    for number, place in enumerate(itertools.product((0.0, 50.0), repeat=3)):
        points.InsertNextPoint(place)
        moved.InsertNextPoint(place[0] + number, place[1], place[2])
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(moved)
    spline.SetBasisToR()
    warp.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(UnusableInput, match=r"flair.*non-linear transform warp; harden"):
        volume_to_image(node)


def test_a_volume_without_voxels_is_refused(scene: slicer.vtkMRMLScene) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    with pytest.raises(UnusableInput, match="nothing holds no voxels"):
        volume_to_image(node)


def test_a_colour_volume_is_refused(scene: slicer.vtkMRMLScene) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    data = vtk.vtkImageData()
    data.SetDimensions(4, 4, 4)
    data.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(data)
    with pytest.raises(UnusableInput, match="photo has 3 values per voxel"):
        volume_to_image(node)


def test_usual_window_leaves_background_out() -> None:
    voxels = np.zeros((10, 10, 10), np.float32)
    voxels[5:] = np.linspace(100, 200, 500).reshape(5, 10, 10)
    low, high = usual_window(voxels)
    assert 100 <= low < 110
    assert 195 < high <= 200


# ---------------------------------------------------------------- segments


def test_mask_returns_as_it_went(scene: slicer.vtkMRMLScene, anywhere: Geometry) -> None:
    node, segment = create_segmentation(scene, image_to_volume(scene, an_image(anywhere)))
    mask = a_mask(anywhere)
    mask_to_segment(node, segment, mask, anywhere)
    assert np.array_equal(segment_to_mask(node, segment, anywhere), mask)


def test_an_empty_mask_empties_the_segment(scene: slicer.vtkMRMLScene) -> None:
    geometry = Geometry(SHAPE)
    node, segment = create_segmentation(scene, image_to_volume(scene, an_image(geometry)))
    assert not segment_to_mask(node, segment, geometry).any()
    mask_to_segment(node, segment, a_mask(geometry), geometry)
    mask_to_segment(node, segment, np.zeros(SHAPE, bool), geometry)
    assert not segment_to_mask(node, segment, geometry).any()


def test_a_new_mask_replaces_the_old_one_wherever_it_lay(scene: slicer.vtkMRMLScene) -> None:
    geometry = Geometry((6, 6, 6))
    node, segment = create_segmentation(scene, image_to_volume(scene, an_image(geometry)))
    for corner in ((0, 0, 0), (4, 4, 4), (0, 4, 2)):
        mask = np.zeros((6, 6, 6), bool)
        mask[tuple(slice(c, c + 2) for c in corner)] = True
        mask_to_segment(node, segment, mask, geometry)
        assert np.array_equal(segment_to_mask(node, segment, geometry), mask)


def test_other_segments_keep_their_voxels(scene: slicer.vtkMRMLScene) -> None:
    geometry = Geometry((6, 6, 6))
    node, segment = create_segmentation(scene, image_to_volume(scene, an_image(geometry)))
    organ = node.GetSegmentation().AddEmptySegment("", "Brainstem")
    everything = np.ones((6, 6, 6), bool)
    mask_to_segment(node, organ, everything, geometry)
    tumour = np.zeros((6, 6, 6), bool)
    tumour[2:4, 2:4, 2:4] = True
    mask_to_segment(node, segment, tumour, geometry)
    mask_to_segment(node, segment, ~tumour, geometry)
    assert np.array_equal(segment_to_mask(node, organ, geometry), everything)
    assert np.array_equal(segment_to_mask(node, segment, geometry), ~tumour)


def test_a_segment_is_read_on_another_grid(scene: slicer.vtkMRMLScene) -> None:
    fine = Geometry((8, 8, 8))
    node, segment = create_segmentation(scene, image_to_volume(scene, an_image(fine)))
    mask = np.zeros((8, 8, 8), bool)
    mask[2:6, 2:6, 2:6] = True
    mask_to_segment(node, segment, mask, fine)
    coarse = fine.with_spacing((2.0, 2.0, 2.0))
    assert segment_to_mask(node, segment, coarse).sum() == 8
    shifted = Geometry((4, 4, 4), origin_mm=(2.0, 2.0, 2.0))  # a piece of the same grid, starting at the mask
    assert segment_to_mask(node, segment, shifted).all()


def test_a_moved_segment_is_read_where_it_is_seen(scene: slicer.vtkMRMLScene) -> None:
    geometry = Geometry((6, 6, 6))
    node, segment = create_segmentation(scene, image_to_volume(scene, an_image(geometry)))
    mask = np.zeros((6, 6, 6), bool)
    mask[2:4, 2:4, 2:4] = True
    mask_to_segment(node, segment, mask, geometry)
    shift = np.eye(4)
    shift[0, 3] = -1.0  # one voxel towards the right of the patient in RAS is +x in LPS
    move(scene, node, shift)
    assert np.array_equal(segment_to_mask(node, segment, geometry), np.roll(mask, 1, axis=2))
    with pytest.raises(UnusableInput, match=r"under a transform; harden"):
        mask_to_segment(node, segment, mask, geometry)


def test_an_unknown_segment_is_named(scene: slicer.vtkMRMLScene) -> None:
    node, _ = create_segmentation(scene, image_to_volume(scene, an_image(Geometry(SHAPE))))
    with pytest.raises(UnusableInput, match="no segment 'Liver'"):
        segment_to_mask(node, "Liver", Geometry(SHAPE))


def test_surface_lies_around_the_tumour(scene: slicer.vtkMRMLScene, anywhere: Geometry) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[1, 2, 3] = True
    node = create_surface(scene)
    update_surface(node, mask, anywhere)
    bounds = np.array(node.GetPolyData().GetBounds()).reshape(3, 2)
    assert np.allclose(bounds.mean(axis=1), ras_of(anywhere.position_of((1, 2, 3))), atol=0.05)
    update_surface(node, np.zeros(SHAPE, bool), anywhere)
    assert node.GetPolyData().GetNumberOfPoints() == 0


# ---------------------------------------------------------------- clicks


def test_clicks_return_as_they_went(scene: slicer.vtkMRMLScene) -> None:
    clicks = [Click((1.0, 2.0, 3.0), True), Click((-4.0, 5.5, 6.0), False), Click((7.0, 8.0, -9.0), True)]
    include, exclude = create_fiducials(scene, True), create_fiducials(scene, False)
    clicks_to_fiducials(clicks, include, True)
    clicks_to_fiducials(clicks, exclude, False)
    assert fiducials_to_clicks(include, True) == [clicks[0], clicks[2]]
    assert fiducials_to_clicks(exclude, False) == [clicks[1]]
    position = [0.0] * 3
    exclude.GetNthControlPointPositionWorld(0, position)
    assert position == [4.0, -5.5, 6.0]  # RAS


def test_fiducials_hold_the_latest_clicks_only(scene: slicer.vtkMRMLScene) -> None:
    node = create_fiducials(scene, True)
    clicks_to_fiducials([Click((0.0, 0.0, 0.0), True)] * 3, node, True)
    clicks_to_fiducials([], node, True)
    assert fiducials_to_clicks(node, True) == []


def test_moved_fiducials_are_read_in_the_world(scene: slicer.vtkMRMLScene) -> None:
    node = create_fiducials(scene, True)
    node.AddControlPoint(vtk.vtkVector3d(1.0, 1.0, 1.0))
    shift = np.eye(4)
    shift[:3, 3] = (10.0, 0.0, 0.0)
    move(scene, node, shift)
    assert fiducials_to_clicks(node, True) == [Click((-11.0, -1.0, 1.0), True)]


def test_placed_points_become_clicks_and_leave_the_list(scene: slicer.vtkMRMLScene) -> None:
    node, heard = create_fiducials(scene, True), []
    placed = PlacedClicks(node, heard.append)
    node.AddControlPointWorld(vtk.vtkVector3d(1.0, 2.0, 3.0))
    node.AddControlPointWorld(vtk.vtkVector3d(4.0, 5.0, 6.0))
    assert heard == [(-1.0, -2.0, 3.0), (-4.0, -5.0, 6.0)]
    assert node.GetNumberOfControlPoints() == 0
    placed.close()
    node.AddControlPointWorld(vtk.vtkVector3d(7.0, 8.0, 9.0))
    assert len(heard) == 2


# ---------------------------------------------------------------- overlay, views, hierarchy


def test_uncertainty_colours_rise_in_lightness() -> None:
    lightness = uncertainty_colours() @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()
    assert lightness[0] < 0.12
    assert lightness[-1] > 0.85


def test_overlay_is_transparent_below_its_window(scene: slicer.vtkMRMLScene) -> None:
    node = overlay_volume(scene, an_image(Geometry(SHAPE)), 20.0, 50.0)
    display = node.GetDisplayNode()
    assert window_of(node) == pytest.approx((20.0, 50.0))
    assert display.GetApplyThreshold()
    assert 20.0 < display.GetLowerThreshold() < 20.1
    assert display.GetColorNode() is uncertainty_table(scene)
    display.GetImageDataConnection().GetProducer().Update()
    rgba = display.GetImageDataConnection().GetProducer().GetOutputDataObject(0)
    values = [rgba.GetScalarComponentAsDouble(0, 0, 0, 3), rgba.GetScalarComponentAsDouble(4, 3, 2, 3)]
    assert values == [0.0, 255.0]


def test_a_map_that_is_the_same_everywhere_covers_nothing(scene: slicer.vtkMRMLScene) -> None:
    flat = Image(np.zeros(SHAPE, np.float32), Geometry(SHAPE), "no doubt")
    for low, high in ((0.0, 1.0), (0.0, 0.0)):
        display = overlay_volume(scene, flat, low, high).GetDisplayNode()
        display.GetImageDataConnection().GetProducer().Update()
        rgba = display.GetImageDataConnection().GetProducer().GetOutputDataObject(0)
        assert rgba.GetScalarComponentAsDouble(2, 2, 1, 3) == 0.0


def test_the_colour_table_is_made_once(scene: slicer.vtkMRMLScene) -> None:
    overlay_volume(scene, an_image(Geometry(SHAPE)), 0.0, 1.0)
    overlay_volume(scene, an_image(Geometry(SHAPE)), 0.0, 1.0)
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode") == 1


def test_views_jump_to_an_lps_position(scene: slicer.vtkMRMLScene) -> None:
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    axial = slicer.vtkMRMLSliceNode()
    axial.SetName("Red")
    axial.SetLayoutName("Red")
    scene.AddNode(axial)
    axial.SetOrientation("Axial")
    jump_to(scene, (10.0, 20.0, 30.0))
    assert axial.GetSliceOffset() == pytest.approx(30.0)


def test_heart_lies_inside_even_a_ring(anywhere: Geometry) -> None:
    mask = np.ones((3, 3, 3), bool)
    mask[1, 1, 1] = False
    geometry = Geometry((3, 3, 3), anywhere.spacing_mm, anywhere.origin_mm, anywhere.direction)
    k, j, i = geometry.index_of(heart_of(mask, geometry))
    assert mask[k, j, i]
    assert heart_of(np.zeros((3, 3, 3), bool), geometry) is None


def test_nodes_of_one_patient_lie_together(scene: slicer.vtkMRMLScene) -> None:
    first = image_to_volume(scene, an_image(Geometry(SHAPE)))
    second = image_to_volume(scene, an_image(Geometry(SHAPE)))
    patient = file_under_patient(scene, [first])
    assert file_under_patient(scene, [second]) == patient
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for node in (first, second):
        assert tree.GetItemParent(tree.GetItemByDataNode(node)) == patient
