"""Serves a page from a thread, for the demo and for one box without a web server."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from pipeline.console.live import Live

_STOP_LIMIT_S = 5


@contextmanager
def serve(app: FastAPI, host: str = "127.0.0.1", port: int = 8080) -> Iterator[str]:
    """Serve an app until the block ends; gives its URL. Port 0: any free one.

    Raises SettingsError when the address can't be had.
    """
    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise SettingsError(
            "the page can't be served here",
            where="console address",
            found=f"{host}:{port} ({error})",
            allowed="an address of this machine and a free port",
        ) from None
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=_STOP_LIMIT_S
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="console", daemon=True
    )
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}/"
    finally:
        live: Live | None = getattr(app.state, "live", None)
        if live is not None:
            live.close()  # open streams would hold the server up
        server.should_exit = True
        thread.join()
        listener.close()
