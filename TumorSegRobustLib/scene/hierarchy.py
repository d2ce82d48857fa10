"""Order in the data tree: what belongs to one patient lies under one patient item."""

from __future__ import annotations

from collections.abc import Iterable

from slicer import vtkMRMLDisplayableNode, vtkMRMLScene, vtkMRMLSubjectHierarchyNode


def file_under_patient(
    scene: vtkMRMLScene, nodes: Iterable[vtkMRMLDisplayableNode], patient: str = "Patient"
) -> int:
    """Put the nodes below a patient item of that name (made at first use); the item's id.

    The application makes an item for every node by itself, a bare scene does not: both end the same here.
    """
    tree = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    root = tree.GetSceneItemID()
    item = tree.GetItemChildWithName(root, patient)
    if not item:
        item = tree.CreateSubjectItem(root, patient)
    for node in nodes:
        existing = tree.GetItemByDataNode(node)
        if existing:
            if tree.GetItemParent(existing) == root:  # the user's own order is left alone
                tree.SetItemParent(existing, item)
        else:
            tree.CreateItem(item, node)
    return item
