"""What the page tells of files that are dropped on it: begin, progress, end, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TumorSegRobustLib.app.uploads import Batch, Refused, Uploads

if TYPE_CHECKING:
    from trame_server import Server

    from TumorSegRobustLib.workflow import Workflow

_STEP = 0.02  # progress is shown in steps of this share


class UploadActions:
    """`upload`, a state of the page: {share: 0..100, text}, or None while nothing is being received."""

    def __init__(
        self,
        server: Server,
        workflow: Workflow,
        uploads: Uploads,
        take: Callable[[Path, str], None],
        give: Callable[[Sequence[Path]], None],
        complain: Callable[[str], None],
    ) -> None:
        """take(path, purpose) opens it; give(paths) offers several by name."""
        self._server, self._workflow, self.uploads = server, workflow, uploads
        self._take, self._give, self._complain = take, give, complain
        self._batch = ""
        self._shown = -1.0

    def begin(self, files: list[dict[str, Any]], purpose: str) -> str:
        """The key under which the page sends the files; "" where it should not, and the page says why."""
        why = self._workflow.state.why_not.get("compare" if purpose == "reference" else "open")
        if self._batch and not why and self._is_under_way():
            why = "Files are being copied already: wait for them, or cancel."
        if why:
            self._complain(why)
            return ""
        try:
            batch = self.uploads.begin(files)
        except Refused as refused:
            self._complain(str(refused))
            return ""
        self._batch, self._shown = batch.id, -1.0
        self.show(batch)
        return batch.id

    def show(self, batch: Batch) -> None:
        """How far it is; called after every piece."""
        if batch.id != self._batch or (batch.share - self._shown < _STEP and batch.share < 1):
            return
        self._shown = batch.share
        count = len(batch.names)
        what = batch.names[0].name if count == 1 else f"{count} files"
        with self._server.state as state:
            state.upload = {"share": round(100 * batch.share), "text": f"Copying {what}"}

    def finish(self, key: str, purpose: str) -> None:
        """Every file has arrived: open what can be opened, the first of several."""
        self._end(key)
        try:
            first, *others = self.uploads.finish(key)
        except Refused as refused:
            self._complain(str(refused))
            return
        if others:
            self._give([first, *others])
        self._take(first, purpose)

    def fail(self, key: str, why: str) -> None:
        """The page gave up: `why` is what the server or the browser said."""
        self.uploads.drop(key)
        if self._end(key):
            self._complain(str(why)[:300] or "The files could not be copied: try again.")

    def broke_off(self, key: str) -> None:
        """Nobody is there any more who could send the rest."""
        with self._server.state:
            self._end(key)

    def cancel(self) -> None:
        """Forget what is being received; the page notices at its next piece."""
        self.uploads.drop(self._batch)
        self._end(self._batch)

    def _is_under_way(self) -> bool:
        """False where the tab that sent the files has gone meanwhile."""
        try:
            return bool(self.uploads.find(self._batch))
        except Refused:
            return False

    def _end(self, key: str) -> bool:
        if not key or key != self._batch:
            return False
        self._batch = ""
        self._server.state.upload = None
        return True
