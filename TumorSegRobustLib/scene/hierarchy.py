"""Order in the data tree: what belongs to one patient lies under one patient item."""

from __future__ import annotations

from collections.abc import Iterable

from slicer import vtkMRMLDisplayableNode, vtkMRMLScene, vtkMRMLSubjectHierarchyNode


def file_under_patient(
    scene: vtkMRMLScene, nodes: Iterable[vtkMRMLDisplayableNode], patient: str = "Patient"
) -> int:
    """Put the nodes below a patient item of that name (made when there is need of it); the item's id, or 0.

    The application makes an item for every node by itself, a bare scene does not: both end the same here.
    A node that lies under any other item already stays there: the user's own order is left alone.
    """
    tree = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    root = tree.GetSceneItemID()
    item = int(tree.GetItemChildWithName(root, patient))
    for node in nodes:
        existing = tree.GetItemByDataNode(node)
        if existing and tree.GetItemParent(existing) != root:
            continue
        item = item or tree.CreateSubjectItem(root, patient)
        if existing:
            tree.SetItemParent(existing, item)
        else:
            tree.CreateItem(item, node)
    return item


def file_beside(
    scene: vtkMRMLScene, node: vtkMRMLDisplayableNode, volume: vtkMRMLDisplayableNode | None
) -> None:
    """Put a new node where its volume lies, under the study of a DICOM volume, say; else under `Patient`."""
    tree = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    beside = tree.GetItemParent(tree.GetItemByDataNode(volume)) if volume is not None else 0
    if not beside or beside == tree.GetSceneItemID():
        file_under_patient(scene, [node] if volume is None else [volume, node])
        return
    item = tree.GetItemByDataNode(node)
    if not item:
        tree.CreateItem(beside, node)
    elif tree.GetItemParent(item) == tree.GetSceneItemID():  # the user's own order is left alone
        tree.SetItemParent(item, beside)
