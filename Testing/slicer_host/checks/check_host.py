"""The stand-ins are strict: what Slicer would not know, they do not know either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import pytest
import qt
import slicer
from conftest import HOST

EMPTY_PANEL = """<ui version="4.0"><class>P</class><widget class="qMRMLWidget" name="P">
<layout class="QVBoxLayout" name="l"><item>{content}</item></layout></widget>{connections}</ui>"""


def load(folder: Path, content: str, connections: str = "") -> Any:
    path = folder / "panel.ui"
    path.write_text(EMPTY_PANEL.format(content=content, connections=connections), encoding="utf-8")
    return slicer.util.loadUI(str(path))


def test_properties_are_attributes_as_under_pythonqt() -> None:
    button = qt.QPushButton("Segment")
    assert button.text == "Segment"
    button.enabled = False
    assert not button.isEnabled()
    with pytest.raises(TypeError, match="not callable"):
        button.text()


def test_an_unknown_property_raises_instead_of_being_stored() -> None:
    with pytest.raises(AttributeError, match="no property 'enabeld'"):
        qt.QPushButton().enabeld = False


def test_an_unknown_module_logic_or_application_function_raises() -> None:
    for owner, name in ((slicer.modules, "cropvolume"), (slicer.app, "restart"), (ctk, "ctkThumbnail")):
        with pytest.raises(AttributeError):
            getattr(owner, name)


def test_a_module_may_set_only_documented_attributes() -> None:
    from slicer_host.host import ModuleInfo

    with pytest.raises(AttributeError):
        ModuleInfo("x.py").titel = "Typing error"


def test_an_unknown_widget_class_in_a_ui_file_raises(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no look-alike for qMRMLSegmentEditorWidget"):
        load(tmp_path, '<widget class="qMRMLSegmentEditorWidget" name="w"/>')


def test_an_unknown_property_in_a_ui_file_raises(tmp_path: Path) -> None:
    content = (
        '<widget class="qMRMLNodeComboBox" name="w">'
        '<property name="nodeTipes"><string>a</string></property></widget>'
    )
    with pytest.raises(RuntimeError, match=r"w .*has no property nodeTipes"):
        load(tmp_path, content)


def test_a_connection_to_a_missing_widget_raises(tmp_path: Path) -> None:
    connections = (
        "<connections><connection><sender>P</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>"
        "<receiver>gone</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections>"
    )
    with pytest.raises(RuntimeError, match="gone"):
        load(tmp_path, '<widget class="QLabel" name="w"/>', connections)


def test_a_file_dialog_that_nobody_answers_raises() -> None:
    with pytest.raises(RuntimeError, match="Nobody answers"):
        qt.QFileDialog.getExistingDirectory(None, "Folder")


def test_the_node_selector_follows_the_scene() -> None:
    HOST.scene.Clear(0)
    chosen: list[Any] = []
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.showChildNodeTypes = False
    selector.setMRMLScene(HOST.scene)
    selector.currentNodeChanged.connect(chosen.append)
    volume = HOST.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    HOST.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    hidden = slicer.vtkMRMLScalarVolumeNode()
    hidden.SetHideFromEditors(True)
    HOST.scene.AddNode(hidden)
    assert selector.nodeCount() == 1
    assert selector.currentNode() is None
    selector.setCurrentNode(volume)
    HOST.scene.RemoveNode(volume)
    assert chosen == [volume, None]


def test_only_one_host_runs_in_a_process() -> None:
    import slicer_host

    with pytest.raises(RuntimeError, match="already running"):
        slicer_host.start()


def test_the_module_describes_itself() -> None:
    info = slicer.modules.tumorsegrobust.info
    assert info.title == "TumorSegRobust"
    assert info.categories == ["Segmentation"]
    assert "not a medical device" in info.helpText
    assert info.icon.availableSizes()[0].width() == 128
