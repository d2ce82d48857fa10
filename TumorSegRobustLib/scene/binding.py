"""Keeps the nodes of a scene in step with a Workflow; the panels only press its buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.scene.error_overlay import ErrorOverlay
from TumorSegRobustLib.scene.going_on import GoingOn
from TumorSegRobustLib.scene.hierarchy import file_beside, file_under_patient
from TumorSegRobustLib.scene.host_edits import HostEdits
from TumorSegRobustLib.scene.markups import clicks_to_fiducials, create_fiducials
from TumorSegRobustLib.scene.overlay import overlay_volume, set_overlay_window, update_overlay
from TumorSegRobustLib.scene.segment_nodes import SegmentNodes
from TumorSegRobustLib.scene.segments import Box
from TumorSegRobustLib.scene.views import heart_of, jump_to, point_at, show_in_slices
from TumorSegRobustLib.scene.volumes import image_to_volume, set_window, usual_window, volume_to_image
from TumorSegRobustLib.workflow import overlay_choice

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State, Workflow


class SceneBinding:
    """One scan, its segments, the clicks and the uncertainty, as nodes of `scene` that follow `workflow`.

    volume, segmentation, overlay and surface are None until there is something to show; `errors` draws where
    the contour differs from its reference. What a host paints into the segmentation, renames, adds or removes
    is given to the workflow. Everything runs in the thread that the workflow dispatches to, which must be the
    thread of the scene.
    """

    def __init__(self, scene: vtkMRMLScene, workflow: Workflow, *, several_scans: bool = False) -> None:
        """several_scans: volumes and segments of the scans before stay in the scene, out of sight, and
        `resume_kept` goes on with them; for hosts that list volumes and save scenes."""
        self._scene = scene
        self._workflow = workflow
        self._several_scans = several_scans
        self._edits = HostEdits(workflow, lambda: self.segments, self._follow_segments)
        self._going_on = GoingOn(scene, workflow, several_scans)
        self.volume: vtkMRMLScalarVolumeNode | None = None
        self.segments: SegmentNodes | None = None
        self.overlay: vtkMRMLScalarVolumeNode | None = None
        self.errors = ErrorOverlay(scene, workflow)
        self._overlay_shown = False
        self._overlay_opacity = 0.6
        self._overlay_kind = "entropy"
        self._overlay_percentile = (50.0, 99.0)
        self._markers: dict[bool, Any] = {}
        self._shown_clicks: tuple[Any, ...] = ()
        self._image: Image | None = None
        self._described: list[tuple[int, str, bool]] = []
        self._adopted: tuple[vtkMRMLScalarVolumeNode, Image] | None = None
        self._own_volume = True
        self._disconnect: list[Callable[[], None]] = [
            workflow.image_changed.connect(self._on_image),
            workflow.contour_changed.connect(self._on_contour),
            workflow.assessment_changed.connect(self._on_assessment),
            workflow.changed.connect(self._on_state),
        ]
        if workflow.image is not None:
            self._on_image()

    @property
    def segmentation(self) -> vtkMRMLSegmentationNode | None:
        return self.segments.node if self.segments else None

    @property
    def segment_id(self) -> str:
        """The active segment in the segmentation node, "" where there is none."""
        active = next((s.id for s in self._workflow.state.segments if s.active), 0)
        return self.segments.ids.get(active, "") if self.segments else ""

    @property
    def surface(self) -> Any:
        """The first segment's model for the 3D view."""
        return next(iter(self.segments.surfaces.values()), None) if self.segments else None

    @property
    def overlay_kind(self) -> str:
        """The kind of uncertainty that is drawn: the chosen one, or the entropy where that is not known."""
        return overlay_choice(self._overlay_kind, self._workflow.state.overlay_kinds).shown

    def open_volume(self, node: vtkMRMLScalarVolumeNode, series: Any = None) -> None:
        """Open a volume of the scene: the workflow gets its voxels, the node itself is shown.

        Raises UnusableInput when the node cannot be read (see `volume_to_image`).
        """
        image = volume_to_image(node)
        self._adopted = (node, image)
        self._workflow.open_image(image, series)

    def open_channel(self, node: vtkMRMLScalarVolumeNode, channel: str) -> None:
        """Add a volume of the scene to the open scan, as the input `channel` of the networks.

        Raises UnusableInput as `open_volume` does.
        """
        self._workflow.open_image(volume_to_image(node), None, channel)

    def show_overlay(
        self,
        shown: bool | None = None,
        *,
        opacity: float | None = None,
        kind: str | None = None,
        percentile: tuple[float, float] | None = None,
    ) -> None:
        """Change how the uncertainty is shown; what is left out stays as it is.

        opacity: 0..1; percentile: lowest and highest shown, 0..100; kind: as in `Workflow.overlay`, and kept
        where it cannot be drawn (see `overlay_kind`).
        """
        self._overlay_shown = self._overlay_shown if shown is None else bool(shown)
        self._overlay_opacity = self._overlay_opacity if opacity is None else float(np.clip(opacity, 0, 1))
        drawn, self._overlay_kind = self.overlay_kind, kind or self._overlay_kind
        other_map = drawn != self.overlay_kind
        if percentile is not None:
            self._overlay_percentile = (float(percentile[0]), float(percentile[1]))
        if self._overlay_shown and (self.overlay is None or other_map):
            self._refill_overlay()
        elif self.overlay is not None and percentile is not None:
            _, low, high = self._workflow.overlay(self.overlay_kind, self._overlay_percentile)
            set_overlay_window(self.overlay, low, high)
        self._layers()

    def resume_kept(self) -> bool:
        """Go on with the review that the scene shows of the open scan; False where there is none.

        Where its journal is not on this computer, that is told, and what the scene shows stays as it is.
        """
        return self._going_on.resume(self.volume)

    def look_at_edits(self) -> None:
        """Take over what a host has changed without telling (a mask erased as a whole, say)."""
        self._edits.painted()

    def show_surface(self) -> None:
        """Bring the 3D surfaces up to date; call when the user pauses, not at every click (scene.surface)."""
        workflow = self._workflow
        if self.segments is not None and workflow.image is not None:
            self.segments.show_surfaces(workflow.state.segments, workflow.masks, workflow.image.geometry)

    def heart_of_tumour(self) -> tuple[float, float, float] | None:
        """LPS mm of the middle of the active segment (see `heart_of`); None when it is empty."""
        if self._workflow.mask is None or self._workflow.image is None:
            return None
        return heart_of(self._workflow.mask, self._workflow.image.geometry)

    def point_at_tumour(self) -> None:
        """Show and mark the middle of the active segment, if there is any of it."""
        heart = self.heart_of_tumour()
        if heart is not None:
            self.look_at(heart)

    def jump_to_tumour(self) -> bool:
        """Move the slice views to the middle of the tumour; False when there is none."""
        heart = self.heart_of_tumour()
        if heart is not None:
            jump_to(self._scene, heart)
        return heart is not None

    def jump_to_place(self, place: Any) -> None:
        """Show and mark a place that is worth a look (see `Workflow.place_changed`)."""
        self.look_at(place.position_mm)

    def look_at(self, position_mm: Sequence[float]) -> None:
        """Show and mark a position, LPS mm."""
        point_at(self._scene, position_mm)

    def close(self) -> None:
        """Stop following the workflow; scan and segments stay, what is made from them goes."""
        for disconnect in self._disconnect:
            disconnect()
        self._disconnect.clear()
        self.errors.close()
        self._drop_overlay()
        for node in self._markers.values():
            self._scene.RemoveNode(node)
        self._markers.clear()
        if self.segments is not None:
            self.segments.close()
            self.segments.remove_surfaces()

    def _on_image(self, *_: object) -> None:
        image = self._workflow.image
        if image is not None and image is self._image:
            return  # one more channel of the scan that is shown already
        self._image = image
        self._leave_contour()
        self._going_on.forget()
        if image is None:
            self.volume = None
            self._layers()
            return
        adopted, self._adopted = self._adopted, None
        if adopted is not None and adopted[1].voxels is image.voxels:
            self.volume, self._own_volume = adopted[0], False
        else:
            again = self.volume if self._own_volume and not self._several_scans else None
            self.volume = image_to_volume(self._scene, image, again)
            self._own_volume = True
            set_window(self.volume, *usual_window(image.voxels))
        file_under_patient(self._scene, [self.volume])
        self._layers()

    def _on_contour(self, mask: NDArray[np.bool_] | None, box: Box | None = None) -> None:
        image = self._workflow.image
        if mask is None or image is None:
            self._remove_contour()
            return
        if self.segments is None:
            first = self._workflow.state.segments[0]
            shown = self._going_on.node_before(self.volume)
            self.segments = SegmentNodes(self._scene, self.volume, first, self._edits, shown)
            self.segments.node.GetDisplayNode().SetVisibility(True)
            file_beside(self._scene, self.segments.node, self.volume)
        self._follow_segments()
        self._follow_overlay(box)
        self._going_on.note(self.segments.node)
        self._going_on.choose_again()

    def _follow_segments(self) -> None:
        workflow = self._workflow
        if self.segments is not None and workflow.image is not None and not self._edits.ahead:
            self.segments.show(workflow.state.segments, workflow.masks, workflow.image.geometry)

    def _on_assessment(self, *_: object) -> None:
        self._follow_overlay(None)

    def _on_state(self, state: State) -> None:
        described = [(s.id, s.name, s.active) for s in state.segments]
        if (described and described != self._described) or self._edits.caught_up():
            self._follow_segments()
        self._described = described
        if self.segments is not None:
            self._going_on.note(self.segments.node)
        if state.clicks == self._shown_clicks:
            return
        self._shown_clicks = state.clicks
        for include in (True, False):
            if include not in self._markers:
                self._markers[include] = create_fiducials(self._scene, include)
                self._markers[include].SetSaveWithScene(False)  # the journal has them
            clicks_to_fiducials(state.clicks, self._markers[include], include)

    def _follow_overlay(self, box: Box | None) -> None:
        """Bring a shown overlay up to date; a hidden one is dropped, and filled again when it is wanted."""
        if not self._overlay_shown:
            self._drop_overlay()
        elif self.overlay is None or box is None:
            self._refill_overlay()
            self._layers()
        else:
            values, _, _ = self._workflow.overlay(self.overlay_kind, self._overlay_percentile)
            update_overlay(self.overlay, values, box)

    def _refill_overlay(self) -> None:
        image = self._workflow.image
        if image is None or self._workflow.mask is None:
            self._drop_overlay()
            return
        values, low, high = self._workflow.overlay(self.overlay_kind, self._overlay_percentile)
        named = Image(values, image.geometry, "Uncertainty")
        self.overlay = overlay_volume(self._scene, named, low, high, self.overlay)

    def _layers(self) -> None:
        overlay = self.overlay if self._overlay_shown else None
        show_in_slices(self._scene, self.volume, overlay, self._overlay_opacity)

    def _drop_overlay(self) -> None:
        if self.overlay is not None:
            overlay, self.overlay = self.overlay, None
            self._layers()
            self._scene.RemoveNode(overlay)

    def _leave_contour(self) -> None:
        """Another scan is opened: its contour takes the place of this one."""
        if self._several_scans and self.segments is not None:
            self._drop_overlay()
            self.segments.put_aside()
            self.segments = None
        self._remove_contour()

    def _remove_contour(self) -> None:
        self._drop_overlay()
        if self.segments is not None:
            self.segments.remove()
        self.segments = None
