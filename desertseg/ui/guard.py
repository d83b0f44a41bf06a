"""What keeps the server from asking any other server for anything, whatever a request says.

Gradio would fetch a file for whoever sends an address in its place, and hand on what another server says.
"""

from __future__ import annotations

import json
from typing import Any

_HANDED_ON = ("file=", "proxy=", "file/")  # what may stand before another server's address in one of the page's
_UPLOAD = "/upload"  # its body is the file itself
_LONGEST = 16 * 2**20  # bytes of any other body: names, numbers, and a note
_ADDRESS = "://"


class Guard:
    """ASGI middleware that answers 403 to what would be fetched elsewhere, and 413 to an endless wish.

    Args:
        app: what is guarded.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif is_handed_on(scope["path"]):
            await _refuse(send, 403, "this page fetches nothing from other servers")
        elif scope["method"] != "POST" or scope["path"].rstrip("/").endswith(_UPLOAD):
            await self.app(scope, receive, send)
        else:
            body = await _read(receive)
            if body is None:
                await _refuse(send, 413, "the request is too long")
            elif names_address(body):
                await _refuse(send, 403, "give a file, not an address: this page fetches nothing from other servers")
            else:
                await self.app(scope, _replay(body, receive), send)


def is_handed_on(path: str) -> bool:
    """Return whether an address of the page asks it to hand on what another server says."""
    return any(mark in path and ":/" in path.split(mark, 1)[1] for mark in _HANDED_ON)


def names_address(body: bytes) -> bool:
    """Return whether a wish, as JSON, has an address where a file's path belongs."""
    try:
        waiting = [json.loads(body or b"null")]
    except (ValueError, RecursionError):  # no wish that Gradio could read
        return False
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if _ADDRESS in str(value.get("path", "")):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


async def _read(receive: Any) -> bytes | None:
    """Return a request's body, None of one that is too long."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LONGEST:
            return None
        if not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Any) -> Any:
    """Return what hands a body that was read on, and then what comes after it."""
    read = False

    async def again() -> Any:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(send: Any, status: int, reason: str) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": reason.encode()})
