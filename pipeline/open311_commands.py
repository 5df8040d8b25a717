"""The commands about residents' reports: API keys, and the endpoint that takes reports in."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import show
from pipeline.clock import SystemClock
from pipeline.errors import InputError
from pipeline.settings_file import load_settings
from pipeline.terminal import (
    AsJson,
    SettingsFile,
    err,
    looked_after,
    opened_pictures,
    out,
    print_json,
    town_settings,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.console.open311 import ApiKeys

app = typer.Typer(no_args_is_help=True, help="居民上报接口 / residents' reports by Open311")
key = typer.Typer(no_args_is_help=True, help="接口密钥 / API keys")
app.add_typer(key, name="key")

Name = Annotated[str, typer.Argument(help="who sends reports with it")]


@key.command("add")
def key_add(name: Name, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """新建密钥(仅显示一次) / make a key; it is shown this once."""
    made = _keys(settings_file).add(name)
    if as_json:
        print_json({"name": name, "api_key": made})
        return
    out.print(made, soft_wrap=True)
    err.print("请妥善保存，不会再次显示 / keep it: it is not shown again")


@key.command("list")
def key_list(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """密钥列表 / the keys by name; what they are nobody knows."""
    found = _keys(settings_file).listed()
    if as_json:
        rows = [asdict(one) for one in found]
        print_json([{name: row[name] for name in row if name != "sha256"} for row in rows])
        return
    out.print(show.api_keys(found) if found else "没有密钥 / no keys")


@key.command("revoke")
def key_revoke(name: Name, settings_file: SettingsFile = None) -> None:
    """吊销密钥 / from now on the key is refused."""
    _keys(settings_file).revoke(name)
    out.print(f"{name}: 已吊销 / revoked")


@app.command("serve")
def open311_serve(
    settings_file: SettingsFile = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8311,
) -> None:
    """接收居民上报 / take residents' reports in, until stopped."""
    _needs_console()
    from pipeline.console import serve
    from pipeline.console.open311 import Open311, create_open311
    from pipeline.tickets import Outbox, ReportDesk, open_desk

    settings, clock = town_settings(settings_file), SystemClock()
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    data_dir = settings.data_dir
    with (
        Outbox(data_dir / "outbox.sqlite", clock) as outbox,
        open_desk(settings, clock) as opened,
        opened_pictures(settings) as pictures,
        looked_after(pictures.store, opened),
    ):
        endpoint = Open311(
            settings,
            desk=opened.desk,
            reports=ReportDesk(opened.desk, outbox, pictures),
            outbox=outbox,
            keys=_keys(settings_file),
            clock=clock,
        )
        drain = threading.Thread(
            target=outbox.drain,
            args=(opened.desk, stop),
            kwargs={"retry_s": settings.tickets.retry_s},
            name="outbox",
        )
        drain.start()
        try:
            with serve(create_open311(endpoint), host, port) as url:
                err.print(f"Open311: {url}open311/discovery.json")
                stop.wait()
        finally:
            stop.set()
            drain.join()


def _keys(settings_file: Path | None) -> ApiKeys:
    _needs_console()
    from pipeline.console.open311 import ApiKeys
    from pipeline.console.open311.keys import FILE_NAME

    return ApiKeys(load_settings(settings_file).data_dir / FILE_NAME, SystemClock())


def _needs_console() -> None:
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"the endpoint needs {error.name}",
            found="gridwatch without extras",
            allowed="gridwatch[console]",
        ) from None
