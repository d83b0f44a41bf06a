"""Serving the page: on this machine alone unless asked otherwise, and without a word to any other."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from desertseg.errors import UserError
from desertseg.ui.album import Album
from desertseg.ui.desk import Desk
from desertseg.ui.guard import Guard
from desertseg.ui.shelf import Shelf
from desertseg.ui.viewer import read_static

LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    models: Sequence[str | Path] = (),
    data: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    cases: str | Path = "cases",
    max_upload: int = 300,
    open_browser: bool = False,
    tell: Callable[[str], None] = print,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        models: files or names of shipped models; none for the shipped one.
        data: a data folder to browse.
        host: address to bind to.
        port: None takes the first free one from 7860 on.
        cases: the folder for saved cases.
        max_upload: MiB that a file may have.
        open_browser: open the page.
        tell: is given the lines for the terminal.

    Raises:
        UserError: the data folder or the port cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="desertseg-ui-") as folder:
        _prepare(Path(folder))
        shelf = Shelf(models)
        for name in shelf.missing:
            tell(f"warning: model {name} does not exist; the page says so to whoever chooses it")
        album = Album(data) if data is not None else None
        desk = Desk(shelf, album, Path(cases), Path(folder) / "scratch")
        (Path(folder) / "scratch").mkdir()
        blocks, address = _launch(desk, host, port, max_upload, open_browser)
        if host not in LOCAL:
            tell(
                f"warning: bound to {host}, so whoever reaches this machine can use the page: upload, see the frames "
                "of --data, save cases; there is no password"
            )
        tell(f"desertseg is at {address} and ends with Ctrl-C; cases are saved in {cases}")
        _wait()
        blocks.close(verbose=False)


def _prepare(folder: Path) -> None:
    """Set what Gradio reads when it is imported: no telemetry, and uploads in a folder that goes with the server."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")


def _launch(desk: Desk, host: str, port: int | None, max_upload: int, open_browser: bool) -> tuple[Any, str]:
    """Return (the page, which is served, its address)."""
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from desertseg.ui.page import Page
    from desertseg.ui.theme import make_theme

    guards = [Middleware(Guard)]
    if host in LOCAL:  # a website's name that is made to mean this machine does not open the page
        guards.append(Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"]))
    blocks = Page(desk).blocks
    try:
        _, address, _ = blocks.queue(default_concurrency_limit=8, max_size=64).launch(
            server_name=host,
            server_port=port,
            inbrowser=open_browser,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            show_error=True,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            max_file_size=max_upload * 2**20,
            app_kwargs={"middleware": guards},
            theme=make_theme(),
            css=read_static("page.css"),
        )
    except OSError as error:
        wanted = f"port {port}" if port is not None else "a free port"
        raise UserError(f"{host} gives no {wanted}: {error}; choose another --port") from error
    return blocks, address


def _wait() -> None:
    """Return when the process is asked to end."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
