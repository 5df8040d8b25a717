"""The commands by which staff report from a picture, feed back what is done, and check it."""

from __future__ import annotations

import getpass
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import show
from pipeline.clock import SystemClock
from pipeline.errors import DeskUnavailableError, PictureError, ReportError
from pipeline.terminal import (
    AsJson,
    SettingsFile,
    audited,
    err,
    opened_pictures,
    out,
    print_json,
    town_settings,
)
from pipeline.ticket_commands import CommandId, Expect, For, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.settings import Settings
    from pipeline.tickets import Desk, Feedback, ReportDesk, Ticket
    from pipeline.town import Town

By = Annotated[str | None, typer.Option(help="who; default: the user of this machine")]
Note = Annotated[str, typer.Option(help="in words")]
Picture = Annotated[Path | None, typer.Option(help="JPEG, PNG or WebP")]


def add_to(app: typer.Typer, tickets: typer.Typer) -> None:
    """Put the commands where people look for them."""
    app.command("report")(report)
    tickets.command("feedback")(feedback)
    tickets.command("verify")(verify)


def report(
    camera_id: Annotated[str, typer.Argument(metavar="CAMERA", help="of the list")],
    hazard: Annotated[str, typer.Option(help="e.g. road_damage")],
    box: Annotated[str, typer.Option(help="x1,y1,x2,y2 in 0..1 of the camera's picture")],
    settings_file: SettingsFile = None,
    kind: Annotated[str | None, typer.Option(help="of the hazard, e.g. object")] = None,
    picture: Picture = None,
    note: Note = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """在摄像头画面上人工上报 / report a hazard that you see in a camera's picture."""
    from pipeline.tickets import from_camera

    settings = town_settings(settings_file)
    image = None if picture is None else _read(picture, settings)
    aspect = {} if image is None else {"aspect": image.shape[1] / image.shape[0]}
    with _reports(settings) as (town, reports):
        made = from_camera(
            town.camera(camera_id),
            hazard,
            _box(box),
            by=by or getpass.getuser(),
            at=SystemClock().now(),
            kind=kind,
            note=note,
            **aspect,
        )
        taken = reports.take(made, [] if image is None else [image])
    for why in taken.unkept:
        err.print(f"图片未保存 / the picture was not kept: {why}", style="yellow", soft_wrap=True)
    filing = taken.filing
    if as_json:
        print_json(
            {
                "report_id": made.report_id,
                "ticket_id": filing.ticket_id if filing else None,
                "merged": filing.merged if filing else None,
                "pictures": [asdict(one) for one in taken.report.pictures],
            }
        )
    elif filing is None:
        out.print(
            f"{made.report_id} Redis 恢复后立案 / waits on this box and is filed when Redis is back"
        )
    else:
        how = "并入案卷 / part of" if filing.merged else "已立案 / filed as"
        out.print(f"{made.report_id} {how} {filing.ticket_id}")


def feedback(
    ticket_id: str,
    settings_file: SettingsFile = None,
    picture: Picture = None,
    note: Note = "",
    by: By = None,
    expect: Expect = None,
    on_behalf: For = None,
    command_id: CommandId = "",
    as_json: AsJson = False,
) -> None:
    """反馈处置完成(附照片) / it is dealt with, and this picture shows it."""
    settings = town_settings(settings_file)
    image = None if picture is None else _read(picture, settings)
    with _feedback(settings) as checks:
        orders = said(by, note, expect, on_behalf, command_id)
        ticket = checks.done(ticket_id, picture=image, **orders)
    _tell(ticket, as_json=as_json)


def verify(
    ticket_id: str,
    settings_file: SettingsFile = None,
    good: Annotated[
        bool | None, typer.Option("--ok/--not", help="it is gone / it is not: back to the handler")
    ] = None,
    picture: Picture = None,
    note: Note = "",
    by: By = None,
    expect: Expect = None,
    on_behalf: For = None,
    command_id: CommandId = "",
    as_json: AsJson = False,
) -> None:
    """核查:已消除或返工 / say whether what was fed back is really done."""
    if good is None:
        raise ReportError("say what you saw", where="verify", allowed="--ok or --not")
    settings = town_settings(settings_file)
    image = None if picture is None else _read(picture, settings)
    with _feedback(settings) as checks:
        orders = said(by, note, expect, on_behalf, command_id)
        ticket = checks.checked(ticket_id, good=good, picture=image, **orders)
    _tell(ticket, as_json=as_json)


@contextmanager
def _reports(settings: Settings) -> Iterator[tuple[Town, ReportDesk]]:
    """Also while Redis can't be reached: then reports wait on this box."""
    from pipeline.tickets import Outbox, ReportDesk, open_desk
    from pipeline.town import load_town

    clock = SystemClock()
    desk: Desk | None
    with ExitStack() as stack:
        outbox = stack.enter_context(Outbox(settings.data_dir / "outbox.sqlite", clock))
        try:
            opened = stack.enter_context(open_desk(settings, clock))
            stack.enter_context(audited(opened.audit))
            town, desk = opened.town, opened.desk
        except DeskUnavailableError as error:
            err.print(str(error), style="yellow", soft_wrap=True)
            town, desk = load_town(settings.town), None
        pictures = stack.enter_context(opened_pictures(settings))
        yield town, ReportDesk(desk, outbox, pictures)


@contextmanager
def _feedback(settings: Settings) -> Iterator[Feedback]:
    from pipeline.tickets import Feedback, open_desk

    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_desk(settings, SystemClock()))
        except DeskUnavailableError as error:
            raise DeskUnavailableError(
                f"a ticket can't be changed while Redis is away: {error}"
            ) from None
        stack.enter_context(audited(opened.audit))
        yield Feedback(opened.desk, stack.enter_context(opened_pictures(settings)))


def _read(file: Path, settings: Settings) -> NDArray[np.uint8]:
    from pipeline.tickets import read_upload

    try:
        content = file.read_bytes()
    except OSError as error:
        raise PictureError("can't be read", file=file, found=error.strerror) from None
    return read_upload(content, settings.tickets.reports)


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise ReportError(
            "not a box", where="--box", found=text, allowed="four numbers: x1,y1,x2,y2 in 0..1"
        ) from None
    return x1, y1, x2, y2


def _tell(ticket: Ticket, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(ticket))
    else:
        out.print(show.tickets([ticket]))
