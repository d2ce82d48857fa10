"""The way of dropped files from the page to `Uploads`: one request for each file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from TumorSegRobustLib.app.uploads import Batch, Refused, Uploads

PATH = "/upload/{batch}/{number:[0-9]+}"
_CHUNK = 1 << 20


def add_route(
    app: web.Application, uploads: Uploads, told: Callable[[Batch], None], ended: Callable[[str], None]
) -> None:
    """PUT a file of a batch; told(batch) after every piece, ended(its key) where it breaks off.

    Call it before the application starts.

    The guard stands before it, as before everything else.
    """

    async def put(request: web.Request) -> web.Response:
        key, number = request.match_info["batch"], int(request.match_info["number"])

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in request.content.iter_chunked(_CHUNK):
                yield chunk
                told(uploads.find(key))

        try:
            await uploads.receive(key, number, chunks())
        except Refused as refused:
            return web.Response(status=refused.status, text=str(refused))
        except BaseException:  # the tab was closed, or its computer went to sleep
            ended(key)
            raise
        return web.Response(status=204)

    app.router.add_put(PATH, put)
