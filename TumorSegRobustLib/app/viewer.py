"""Slicer without its window: the scene, the views, and what ties them to the workflow. Knows no web page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer import (
    vtkMRMLAbstractViewNode,
    vtkMRMLCrosshairNode,
    vtkMRMLInteractionNode,
    vtkMRMLScalarBarDisplayableManager,
)
from trame_slicer.core import SlicerApp
from trame_slicer.views import Layout, LayoutDirection, SliceView, ThreeDView, ViewLayoutDefinition

from TumorSegRobustLib.app.clicking import ClickTool, Position
from TumorSegRobustLib.scene import (
    IN_3D,
    SceneBinding,
    StillClicks,
    jump_to,
    ras_of,
    set_window,
    usual_window,
    window_of,
)

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State, Workflow

Later = Callable[[float, Callable[[], None]], Any]
_PAUSE_S = 0.4  # after the last change, before the 3D surface is built anew
FOUR_UP, AXIAL_LARGE = "Four-up", "Axial large"
ALONE = {name: f"{name} alone" for name in ("Axial", "Coronal", "Sagittal", "3D")}
"""Name of a view -> the layout that shows nothing else."""


def layouts() -> dict[str, Layout]:
    """What a radiologist expects: four equal views, a large axial one with the others beside it, or one."""
    axial, coronal = ViewLayoutDefinition.axial_view(), ViewLayoutDefinition.coronal_view()
    sagittal = ViewLayoutDefinition.sagittal_view()
    solid = ViewLayoutDefinition.threed_view(background_color=("#0b0e11", "#171c22"))
    column, row = LayoutDirection.Vertical, LayoutDirection.Horizontal
    return {
        FOUR_UP: Layout(row, [Layout(column, [axial, coronal]), Layout(column, [solid, sagittal])]),
        AXIAL_LARGE: Layout(row, [axial, Layout(column, [solid, coronal, sagittal])], flex_sizes=["2", "1"]),
        **{
            layout: Layout(row, [view])
            for layout, view in zip(ALONE.values(), (axial, coronal, sagittal, solid), strict=True)
        },
    }


class Viewer:
    """The scene of a workflow, seen through whatever views the app's view manager has."""

    def __init__(self, app: SlicerApp, workflow: Workflow, later: Later | None = None) -> None:
        """later(seconds, call): run `call` after a pause in this thread; without it nothing is put off."""
        self.app = app
        self._workflow = workflow
        self._later = later
        self._pending: Any = None
        self._tools: dict[str, ClickTool] = {}
        self._solid_tools: dict[str, StillClicks] = {}
        self._moving: int | None = None
        self._tool = workflow.state.tool
        self._new_review = False
        self.binding = SceneBinding(app.scene, workflow)
        self._disconnect = [
            workflow.image_changed.connect(self._on_image),
            workflow.assessment_changed.connect(self._on_assessment),
            workflow.contour_changed.connect(self._on_contour),
            workflow.changed.connect(self._on_state),
            workflow.place_changed.connect(lambda place: self.look_at(place.position_mm)),
        ]
        crosshair = app.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        crosshair.SetCrosshairMode(vtkMRMLCrosshairNode.NoCrosshair)  # until there is a place to look at
        crosshair.SetCrosshairColor(1.0, 0.85, 0.3)
        self._crosshair = crosshair

    def adopt_views(self) -> None:
        """Watch the mouse in every slice view that exists now; views made later need another call."""
        for view in self.app.view_manager.get_slice_views():
            if view.get_singleton_tag() not in self._tools:
                tool = ClickTool(view, self._on_click, self.look_at, self._workflow.stroke)
                self._tools[view.get_singleton_tag()] = tool
                _drag_the_scan(view)
        node = vtkMRMLAbstractViewNode
        marker, size = node.OrientationMarkerTypeAxes, node.OrientationMarkerSizeMedium
        for solid in self.app.view_manager.get_threed_views():
            solid.set_orientation_marker(marker, size)
            if isinstance(solid, ThreeDView) and solid.get_singleton_tag() not in self._solid_tools:
                refuse = StillClicks(solid.interactor(), lambda: self._workflow.refuse(IN_3D))
                self._solid_tools[solid.get_singleton_tag()] = refuse
        self._hand()

    def tool_of(self, view: SliceView) -> ClickTool:
        """The click tool of an adopted view."""
        return self._tools[view.get_singleton_tag()]

    def move_next(self, number: int | None) -> None:
        """The next click in a slice says where the click `number` is to lie; None: it is a click as ever."""
        self._moving = number
        self._hand()

    def look_at(self, position: Position) -> None:
        """Every slice view shows the plane through this place (LPS mm), the crosshair marks it."""
        jump_to(self.app.scene, position)
        self._crosshair.SetCrosshairRAS(*ras_of(position).tolist())
        self._crosshair.SetCrosshairMode(vtkMRMLCrosshairNode.ShowSmallBasic)

    def step(self, slices: int) -> None:
        """Leaf through the first slice view on show: up (towards the head, front or right) or down."""
        shown = self.app.view_manager.get_current_view_ids()
        views = self.app.view_manager.get_slice_views()
        view = next((one for one in views if one.get_singleton_tag() in shown), None)
        if view is not None:
            lowest, highest = view.get_slice_range()
            wanted = view.get_slice_value() + slices * view.get_slice_step()
            view.set_slice_value(min(highest, max(lowest, wanted)))

    def look_at_tumour(self) -> bool:
        """False when there is no tumour to look at."""
        heart = self.binding.heart_of_tumour()
        if heart is None:
            return False
        self.look_at(heart)
        self._frame_solid_views()
        return True

    def fit(self) -> None:
        """The whole scan in every view."""
        self.app.display_manager.reset_views()

    def window(self) -> tuple[float, float] | None:
        """The grey values shown black and white, None without a scan."""
        return None if self.binding.volume is None else window_of(self.binding.volume)

    def set_window(self, low: float, high: float) -> None:
        if self.binding.volume is not None and high > low:
            set_window(self.binding.volume, low, high)

    def usual_window(self) -> tuple[float, float] | None:
        """The window that a new scan starts with."""
        image = self._workflow.image
        return None if image is None else usual_window(image.voxels)

    def close(self) -> None:
        for disconnect in self._disconnect:
            disconnect()
        for tool in self._tools.values():
            tool.close()
        for solid in self._solid_tools.values():
            solid.close()
        self.binding.close()

    def _on_image(self, *_: object) -> None:
        self._crosshair.SetCrosshairMode(vtkMRMLCrosshairNode.NoCrosshair)
        self.fit()

    def _on_assessment(self, *_: object) -> None:
        self._new_review = True

    def _on_contour(self, mask: object, box: object = None) -> None:
        if mask is not None and self._new_review:
            self._new_review = False
            self.binding.show_surface()
            if not self.look_at_tumour():
                self._crosshair.SetCrosshairMode(vtkMRMLCrosshairNode.NoCrosshair)
            return
        if self._later is None:
            self.binding.show_surface()
            return
        if self._pending is not None:
            self._pending.cancel()
        self._pending = self._later(_PAUSE_S, self.binding.show_surface)

    def _on_click(self, position: Position) -> None:
        moving, self._moving = self._moving, None
        if moving is None:
            self._workflow.click(position)
        else:
            self._workflow.move_click(moving, position)
        self._hand()

    def _on_state(self, state: State) -> None:
        if state.tool != self._tool or self._moving not in state.click_numbers:
            self._moving = None  # another tool was taken, or the click to be moved is gone
        self._tool = state.tool
        self._hand()

    def _hand(self) -> None:
        """Tell the views what a press of the left button means now."""
        tool, moving = self._workflow.state.tool, self._moving is not None
        for watched in self._tools.values():
            watched.active = tool != "none" or moving
            watched.brushing = tool in ("paint", "erase") and not moving
        for solid in self._solid_tools.values():
            solid.active = tool != "none" or moving
        self._mouse_mode(idle=tool == "none" and not moving)

    def _mouse_mode(self, idle: bool) -> None:
        # Without a tool a drag changes the grey values, as in every image viewer of a clinic.
        node = self.app.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        mode = vtkMRMLInteractionNode.AdjustWindowLevel if idle else vtkMRMLInteractionNode.ViewTransform
        if node is not None and node.GetCurrentInteractionMode() != mode:
            node.SetCurrentInteractionMode(mode)

    def _frame_solid_views(self) -> None:
        for view in self.app.view_manager.get_threed_views():
            if isinstance(view, ThreeDView):
                view.fit_view_to_content()


def _drag_the_scan(view: SliceView) -> None:
    """A drag changes the grey values of the scan, not those of the uncertainty that lies over it."""
    manager = view.get_displayable_manager_by_class(vtkMRMLScalarBarDisplayableManager)
    if manager is not None:
        manager.SetAdjustForegroundWindowLevelEnabled(False)
