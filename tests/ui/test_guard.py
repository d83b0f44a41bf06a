from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from desertseg.ui import guard
from desertseg.ui.guard import Guard, is_handed_on, names_address


def ask(method: str, path: str, *parts: bytes) -> tuple[int, bytes]:
    """Return (status, body) of a request to a guarded application that answers with what it was sent."""

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    waiting = [{"type": "http.request", "body": p, "more_body": i < len(parts) - 1} for i, p in enumerate(parts)]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path}
    asyncio.run(Guard(echo)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://a.test/x",
        "/gradio_api/file=https:/a.test/x",
        "/gradio_api/proxy=https://a.test/x",
        "/gradio_api/file/http://a.test/x",
        "/gradio_api/file=ftp://a.test",
    ],
)
def test_nothing_is_handed_on(path: str) -> None:
    assert is_handed_on(path)
    assert ask("GET", path, b"")[0] == 403


@pytest.mark.parametrize("path", ["/", "/gradio_api/file=/tmp/x/a.webm", "/gradio_api/queue/data", "/static/x.js"])
def test_the_page_itself_passes(path: str) -> None:
    assert ask("GET", path, b"")[0] == 200


def test_a_wish_passes_as_it_came() -> None:
    wish = json.dumps({"data": [{"path": "/tmp/x.png", "url": "http://127.0.0.1/x"}, None, 3]}).encode()
    assert ask("POST", "/gradio_api/queue/join", wish[:9], wish[9:]) == (200, wish)
    assert ask("POST", "/gradio_api/queue/join", b"") == (200, b"")
    assert ask("POST", "/gradio_api/queue/join", b"{no json") == (200, b"{no json")


@pytest.mark.parametrize("path", ["http://a.test/x.png", "\\u0068ttp://a.test", "file:///etc/passwd"])
def test_an_address_in_place_of_a_file_is_refused(path: str) -> None:
    wish = f'{{"data": [[{{"deep": {{"path": "{path}"}}}}]]}}'.encode()
    assert names_address(wish)
    assert ask("POST", "/gradio_api/run/predict", wish)[0] == 403


def test_an_endless_wish_is_refused_and_an_upload_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_LONGEST", 10)
    assert ask("POST", "/gradio_api/queue/join", b"x" * 6, b"x" * 6)[0] == 413
    assert ask("POST", "/gradio_api/upload", b"x" * 20)[0] == 200
