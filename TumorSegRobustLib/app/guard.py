"""Who may talk to the panel: only a browser on this machine that was given the secret address."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REFUSED = (
    "Refused: this page opens only with the address that TumorSegRobust printed when it started "
    "(it ends in ?token=...). Copy that whole address into the browser."
)


def new_token() -> str:
    """A secret of 192 random bits, fit for an address."""
    return secrets.token_urlsafe(24)


class Guard:
    """Refuses (403) every request, page and websocket alike, that does not know the token.

    The first page is asked for with ?token=..., and its answer sets a cookie that the browser adds to
    everything after it. Host and Origin are held to this server as well: no other web page can read it under
    another name (DNS rebinding) or open its websocket, not even one of another local server, which would get
    our cookie sent along.
    """

    def __init__(self, token: str) -> None:
        if len(token) < 8:
            raise ValueError("The token of the panel needs at least 8 characters")
        self._token = token

    def protect(self, app: web.Application) -> None:
        """Stand before everything that the application serves; call it before the application starts."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answer(request, handler)

        app.middlewares.append(check)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        cookie = f"tumorsegrobust_{_port_of(request)}"  # cookies do not tell ports apart, names do
        in_address = self._is_token(request.query.get("token", ""))
        if not _is_ours(request) or not (in_address or self._is_token(request.cookies.get(cookie, ""))):
            return web.Response(status=403, text=_REFUSED)
        try:
            response = await handler(request)
        except web.HTTPException as answer:  # a redirect to the page itself, say
            _harden(answer)
            raise
        _harden(response)
        if in_address and not response.prepared:
            response.set_cookie(cookie, self._token, httponly=True, samesite="Strict", path="/")
        return response

    def _is_token(self, offered: str) -> bool:
        return secrets.compare_digest(offered.encode(), self._token.encode())


def _is_ours(request: web.Request) -> bool:
    """Whether the request names this server, and comes from its own page if it says where from."""
    names = {f"{name}:{_port_of(request)}" for name in ("127.0.0.1", "localhost")}
    origin = request.headers.get("Origin")
    return request.host in names and (origin is None or origin in {f"http://{name}" for name in names})


def _port_of(request: web.Request) -> int:
    socket = request.transport.get_extra_info("sockname") if request.transport else None
    return int(socket[1]) if socket else 0


def _harden(response: web.StreamResponse) -> None:
    if response.prepared:
        return  # a websocket that has been served to its end
    response.headers["Referrer-Policy"] = "no-referrer"  # the token in the address stays here
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
