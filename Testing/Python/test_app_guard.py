"""Only the browser that was given the secret address may talk to the panel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from TumorSegRobustLib.app.guard import Guard, new_token

TOKEN = "a-token-for-tests"


def ask(question: Callable[[TestClient], Awaitable[object]]) -> object:
    """Ask a guarded server that serves one page and one websocket."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="the page")

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("hello")
        await socket.close()
        return socket

    async def run() -> object:
        app = web.Application()
        app.router.add_get("/index.html", page)
        app.router.add_get("/ws", talk)
        Guard(TOKEN).protect(app)
        jar = aiohttp.CookieJar(unsafe=True)  # "unsafe": cookies of an address without a name
        async with TestClient(TestServer(app, host="127.0.0.1"), cookie_jar=jar) as client:
            return await question(client)

    return asyncio.run(run())


async def websocket_says(client: TestClient, **options: object) -> str:
    async with client.ws_connect("/ws", **options) as socket:
        return await socket.receive_str()


def test_the_right_token_opens_the_page_and_then_the_websocket() -> None:
    async def question(client: TestClient) -> tuple[str, str, str]:
        first = await client.get(f"/index.html?token={TOKEN}")
        again = await client.get("/index.html")  # a reload, without the token in the address
        return await first.text(), await again.text(), await websocket_says(client)

    assert ask(question) == ("the page", "the page", "hello")


@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=wrong", f"?token={TOKEN}x", f"?secret={TOKEN}", "?token=ä"]
)
def test_a_wrong_token_is_refused_in_one_line(query: str) -> None:
    async def question(client: TestClient) -> tuple[int, str, object]:
        answer = await client.get(f"/index.html{query}")
        return answer.status, await answer.text(), answer.headers.get("Set-Cookie")

    status, text, cookie = ask(question)
    assert status == 403
    assert "?token=" in text
    assert "\n" not in text
    assert TOKEN not in text
    assert cookie is None


@pytest.mark.parametrize("cookie", ["", "wrong"])
def test_a_websocket_without_the_token_is_refused(cookie: str) -> None:
    async def question(client: TestClient) -> int:
        headers = {"Cookie": f"tumorsegrobust_{client.port}={cookie}"}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await websocket_says(client, headers=headers)
        return refused.value.status

    assert ask(question) == 403


def test_missing_pages_are_no_secret_but_need_the_token_too() -> None:
    async def question(client: TestClient) -> tuple[int, int]:
        return (await client.get("/nothing")).status, (await client.get(f"/nothing?token={TOKEN}")).status

    assert ask(question) == (403, 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_another_site_is_refused_even_with_the_token(headers: dict[str, str]) -> None:
    async def question(client: TestClient) -> int:
        return (await client.get(f"/index.html?token={TOKEN}", headers=headers)).status

    assert ask(question) == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    async def question(client: TestClient) -> str:
        return (await client.get(f"/index.html?token={TOKEN}")).headers["Set-Cookie"]

    cookie = str(ask(question))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_the_address_is_not_passed_on() -> None:
    async def question(client: TestClient) -> str:
        return (await client.get(f"/index.html?token={TOKEN}")).headers["Referrer-Policy"]

    assert ask(question) == "no-referrer"


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32


def test_a_short_token_is_not_accepted() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        Guard("short")
