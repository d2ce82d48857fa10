"""Start the panel on this machine and hand out its secret address."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trame.app import get_server

from TumorSegRobustLib.app.guard import Guard, new_token
from TumorSegRobustLib.app.reach import Reach
from TumorSegRobustLib.app.vtk_names import be_sparing
from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.workflow import Workflow

if TYPE_CHECKING:
    from trame_server import Server

HOST = "127.0.0.1"
_DRAWING_S = 2.0  # while the first picture of a scan is made, loading networks would only hold it up


def serve(
    images: Sequence[Path] = (),
    *,
    port: int | None = None,
    open_browser: bool = True,
    token: str | None = None,
    workflow: Workflow | None = None,
    on_ready: Callable[[str], None] | None = None,
    folders: Sequence[Path] = (),
) -> None:
    """Serve the panel until Ctrl-C, on 127.0.0.1 only, to whoever knows the token.

    images: scans named by the user; the first is opened. port: None or 0 for a free one. token: by default a
    fresh random one. workflow: one that dispatches to the running asyncio loop, made here by default.
    on_ready: called with the address (token included) once it answers; by default the address is printed.
    folders: all that the page may read scans from and write to; by default whatever the user may.
    Raises UnusableInput when the port is taken, or a folder does not exist.
    """
    _check_port(port or 0)
    reach = Reach(folders)
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(
            _serve(
                [Path(image) for image in images],
                port or 0,
                open_browser,
                token or new_token(),
                workflow,
                on_ready,
                reach,
            )
        )


async def _serve(
    images: list[Path],
    port: int,
    open_browser: bool,
    token: str,
    workflow: Workflow | None,
    on_ready: Callable[[str], None] | None,
    reach: Reach,
) -> None:
    gc.disable()  # until the panel answers: what is loaded now stays, and looking through it takes its time
    be_sparing()  # before trame-slicer, which comes with the panel, asks for `vtk`
    from TumorSegRobustLib.app.panel import Panel

    loop = asyncio.get_running_loop()

    def dispatch(call: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(call)

    _end_in_good_order(loop)
    flow = workflow or Workflow(dispatch=dispatch, calm=partial(loop.call_later, _DRAWING_S))
    # trame reads the command line of the process by itself, and ours is not meant for it.
    os.environ["TRAME_ARGS"] = f"--host {HOST}"
    server = get_server("TumorSegRobust", client_type="vue3")
    panel = Panel(server, flow, loop.call_later, images, reach)

    def bind(wslink: Any) -> None:
        Guard(token).protect(wslink.app)
        panel.receive_uploads(wslink.app)

    server.controller.on_server_bind.add(bind)

    def ready(**_: Any) -> None:
        address = f"http://{HOST}:{server.port}/index.html?token={token}"
        gc.freeze()
        gc.enable()
        (on_ready or _announce)(address)
        if open_browser:
            loop.run_in_executor(None, webbrowser.open, address)

    server.controller.on_server_ready.add(ready)
    try:
        await _run(server, port)
    finally:
        gc.enable()
        panel.close()
        if workflow is None:
            flow.close()


async def _run(server: Server, port: int) -> None:
    await server.start(
        thread=True,  # leaves Ctrl-C to asyncio, which ends `serve` in good order
        port=port,
        host=HOST,
        open_browser=False,
        show_connection_info=False,
        timeout=0,  # a closed page may be opened again; Ctrl-C ends the program
        exec_mode="coroutine",
    )


def _end_in_good_order(loop: asyncio.AbstractEventLoop) -> None:
    """A closed terminal or a log-off ends the panel as Ctrl-C does, so that nothing dropped stays behind."""
    task = asyncio.current_task()
    if task is None or sys.platform == "win32":  # whose loops take no signals
        return
    for name in ("SIGTERM", "SIGHUP"):
        loop.add_signal_handler(getattr(signal, name), task.cancel)


def _check_port(port: int) -> None:
    """Ask before Slicer is started, which takes seconds."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UnusableInput(
                f"Port {port} cannot be used ({error.strerror}); choose another, or none"
            ) from error


def _announce(address: str) -> None:
    print(
        f"TumorSegRobust is ready at {address}\nOnly this computer can reach it. Ctrl-C ends it.", flush=True
    )
