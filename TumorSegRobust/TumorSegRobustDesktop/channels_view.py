"""One row for each further input of the networks: which volume of the scene stands for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .widget_words import set_quietly

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import ChannelState, State

Slot = Callable[..., None]
_LABEL = 63  # points, about as wide as the first column of the step


class ChannelsView:
    """The rows follow the chosen package; choosing a volume adds the channel, choosing none removes it."""

    def __init__(self, ui: Any, logic: Callable[[], Any], guarded: Callable[[Slot], Slot]) -> None:
        self._ui = ui
        self._logic = logic
        self._guarded = guarded
        self._names: list[str] = []
        self._chosen: dict[str, str] = {}  # name of a volume -> id of the node that was chosen
        self._labels: list[Any] = []
        self._selectors: list[Any] = []

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone."""
        open_now = any(one.first for one in state.inputs)
        further = [one for one in state.inputs if not one.first] if open_now else []
        self._ui.channelsFrame.setVisible(bool(further))
        while len(self._selectors) < len(further):
            self._add_row()
        self._names = [one.name for one in further]
        for number, (label, selector) in enumerate(zip(self._labels, self._selectors, strict=True)):
            shown = number < len(further)
            label.setVisible(shown)
            selector.setVisible(shown)
            if shown:
                self._draw_row(label, selector, further[number], state)

    def _draw_row(self, label: Any, selector: Any, channel: ChannelState, state: State) -> None:
        label.setText(f"{channel.label}:")
        needed = _("needed") if channel.required else _("may be left out")
        tip = _("{label}: {description} ({needed})").format(
            label=channel.label, description=channel.description or channel.label, needed=needed
        )
        selector.setToolTip(tip)
        usable = "add_channel" in state.can or "drop_channel" in state.can
        selector.setEnabled(usable)
        node = None
        if channel.volume:
            node = slicer.mrmlScene.GetNodeByID(self._chosen.get(channel.volume, ""))
            node = node or slicer.mrmlScene.GetFirstNode(channel.volume, "vtkMRMLScalarVolumeNode")
        set_quietly(selector, "setCurrentNode", node)

    def _add_row(self) -> None:
        import qt

        number = len(self._selectors)
        label, selector = qt.QLabel(), slicer.qMRMLNodeComboBox()
        label.setMinimumWidth(_LABEL)
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.showChildNodeTypes = False
        selector.noneEnabled = True
        selector.noneDisplay = _("None")
        for name in ("addEnabled", "removeEnabled", "renameEnabled"):
            setattr(selector, name, False)
        selector.setMRMLScene(slicer.mrmlScene)
        self._ui.channelsFrame.layout().addRow(label, selector)
        self._labels.append(label)
        self._selectors.append(selector)
        selector.currentNodeChanged.connect(self._guarded(lambda *_args: self._choose(number)))

    def _choose(self, number: int) -> None:
        logic, node = self._logic(), self._selectors[number].currentNode()
        if logic.workflow is None or number >= len(self._names):
            return  # the scene is being closed
        name = self._names[number]
        if node is not None:
            self._chosen[node.GetName()] = node.GetID()
            logic.binding.open_channel(node, name)
        elif any(one.name == name and one.volume for one in logic.workflow.state.inputs):
            logic.workflow.drop_channel(name)

    def selector(self, name: str) -> Any:
        """The selector of the channel of this name."""
        return self._selectors[self._names.index(name)]
