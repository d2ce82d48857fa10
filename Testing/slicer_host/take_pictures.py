"""Takes pictures of the desktop panel in six states, on the sample case with the real networks.

python Testing/slicer_host/take_pictures.py [FOLDER]

Without a folder: Resources/Screenshots/desktop-1-start.png to desktop-6-accepted.png, the same states as
panel-1 to panel-6 of the browser panel. Only the panel is in them: the views are Slicer's.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTH, LEAST_HEIGHT = 400, 560  # points: what Slicer's module panel has on a screen of 1366x768
PATIENCE_S = 300.0
INCLUDED, EXCLUDED = (40.6, -14.4, 28.1), (39.4, 15.6, 31.9)  # LPS mm, as in the pictures of the browser


class Story:
    """A clinician with the sample case; `take` is called in every state worth a picture."""

    def __init__(self, widget: Any, take: Callable[[str], None]) -> None:
        self.widget, self.ui, self._take = widget, widget.ui, take

    @property
    def workflow(self) -> Any:
        return self.widget.logic.workflow

    def tell(self) -> None:
        """From the empty panel to the accepted contour."""
        self._take("1-start")
        self._press("sampleButton")
        self._press("segmentButton")
        self._take("2-segmented")
        self._press("overlayCheckBox")
        self._press("nextPlaceButton")
        self._take("3-uncertainty")
        self._press("overlayCheckBox")
        self._press("includeButton")
        self._place("include", INCLUDED)
        self._press("excludeButton")
        self._place("exclude", EXCLUDED)
        self._take("4-corrected")
        self._press("excludeButton")
        self._compare()
        self._take("5-compared")
        self._press("putAwayButton")
        self.ui.compareSection.setProperty("collapsed", True)
        self.ui.readerEdit.setText("Dr Example")
        self._press("acceptButton")
        self._take("6-accepted")

    def _compare(self) -> None:
        import qt

        from TumorSegRobustLib.resources import resource

        qt.QFileDialog.answers.append(str(resource("SampleCase", "truth.nii.gz")))
        self.ui.compareSection.setProperty("collapsed", False)
        self._press("referenceButton")
        self._press("nextErrorButton")

    def _press(self, button: str) -> None:
        widget = getattr(self.ui, button)
        if not widget.enabled:
            raise RuntimeError(f"{button} is disabled: {widget.toolTip}")
        widget.click()
        self._settle()

    def _place(self, tool: str, position_lps: tuple[float, float, float]) -> None:
        x, y, z = position_lps
        self.widget.steps.correct.tool.node(tool).AddControlPointWorld(-x, -y, z)
        self._settle()

    def _settle(self) -> None:
        import slicer

        for _turn in range(3):
            if not self.workflow.wait(PATIENCE_S, pump=slicer.app.processEvents):
                raise RuntimeError("the work did not end")
            self.widget.mainThread.turn()


def camera(widget: Any, folder: Path) -> Callable[[str], None]:
    """Writes the panel, as high as it wants to be, to `desktop-<name>.png`."""
    import slicer

    def take(name: str) -> None:
        parent = widget.parent
        for _turn in range(3):  # labels that wrap know their height only once they have their width
            wanted = parent.heightForWidth(WIDTH) if parent.hasHeightForWidth() else 0
            parent.resize(WIDTH, max(LEAST_HEIGHT, wanted, parent.sizeHint().height()))
            parent.show()
            slicer.app.processEvents()
        path = folder / f"desktop-{name}.png"
        if not parent.grab().save(str(path)):
            raise RuntimeError(f"{path} cannot be written")
        print(path)

    return take


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "Resources" / "Screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    sys.path[0] = str(REPOSITORY / "Testing")
    import slicer_host

    host = slicer_host.start()
    module = host.load_module(REPOSITORY / "TumorSegRobust" / "TumorSegRobust.py")
    host.scene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    with tempfile.TemporaryDirectory() as work:
        logic = module.TumorSegRobustLogic(work_folder=Path(work))
        widget = host.open_panel(module, logic=logic)
        Story(widget, camera(widget, folder)).tell()
        widget.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main())
