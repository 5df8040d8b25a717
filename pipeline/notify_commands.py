"""The commands about notifications, and the one that takes over what a dead reader left."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipeline import show
from pipeline.clock import SystemClock
from pipeline.errors import InputError, NotifyError
from pipeline.terminal import AsJson, SettingsFile, opened_desk, out, print_json, town_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.tickets.notify import Standing

app = typer.Typer(no_args_is_help=True, help="通知 / notifications")


@app.command("status")
def notify_status(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """各接收方的发送情况 / how each recipient stands: what waits, failed or was given up."""
    from pipeline.tickets import recipients_of

    known = recipients_of(town_settings(settings_file))
    with opened_desk(settings_file) as opened:
        names = [*known, *(name for name in opened.notify.names() if name not in known)]
        standings, unread = opened.notify.standings(names), opened.notify.unread()
    ways = {name: one.settings.way for name, one in known.items()}
    if as_json:
        rows = [{"way": ways.get(one.name), **asdict(one)} for one in standings]
        print_json({"unread": unread, "recipients": rows})
        return
    out.print(_table(standings, ways))
    out.print(f"未分发事件 / events not handed on yet: {unread}")
    for one in standings:
        for letter in one.dead:
            out.print(
                f"{one.name}: {letter.events} 件事件放弃于 / events given up at "
                f"{_time(letter.dead_at)}, {letter.tries} 次 / tries: {letter.why}",
                style="yellow",
                soft_wrap=True,
            )


@app.command("test")
def notify_test(
    recipient: Annotated[str, typer.Argument(help="name in notify.recipients")],
    settings_file: SettingsFile = None,
) -> None:
    """发送一条测试消息 / send a recipient one message that says it is a test."""
    from pipeline.tickets import recipients_of, try_out

    known = recipients_of(town_settings(settings_file))
    if recipient not in known:
        raise _unknown(recipient, known)
    if known[recipient].alone:
        raise InputError(
            "takes CAP documents alone, and a test is none",
            where=f"notify.recipients.{recipient}",
        )
    try:
        try_out(known[recipient], clock=SystemClock())
    except NotifyError as error:
        raise NotifyError(f"{recipient}: {error}", again=error.again) from None
    out.print(f"{recipient}: 已送达 / taken")


@app.command("retry")
def notify_retry(
    recipient: Annotated[str | None, typer.Argument(help="only this one's")] = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """重发已放弃的消息 / send again what was given up."""
    from pipeline.tickets import recipients_of

    known = recipients_of(town_settings(settings_file))
    if recipient is not None and recipient not in known:
        raise _unknown(recipient, known)
    with opened_desk(settings_file) as opened:
        now = SystemClock().now()
        revived = {
            name: opened.notify.revive(name, now)
            for name in ([recipient] if recipient is not None else known)
        }
    if as_json:
        print_json(revived)
        return
    out.print(f"{sum(revived.values())} 条消息将重发 / messages will be sent again")


def queue_claim(
    grid: Annotated[str, typer.Argument(help="code of the grid, or emergency")],
    settings_file: SettingsFile = None,
    to: Annotated[str, typer.Option(help="the reader that gets them")] = "operator",
    idle_s: Annotated[
        float, typer.Option("--idle", min=1, help="seconds without an acknowledgement")
    ] = 300.0,
    as_json: AsJson = False,
) -> None:
    """接管失联消费者未确认的条目 / take over entries that a dead reader left."""
    with opened_desk(settings_file) as opened:
        claimed = opened.keeper.claim(grid, to, idle_s=idle_s)
    if as_json:
        print_json(
            [
                {"entry": one.entry, "message": one.message.model_dump(mode="json")}
                for one in claimed
            ]
        )
        return
    if not claimed:
        out.print(f"{grid}: 没有可接管的条目 / nothing to take over")
        return
    out.print(show.messages(one.message for one in claimed))
    out.print(f"{len(claimed)} 条现归 / now belong to {to}")


def _unknown(recipient: str, known: Iterable[str]) -> InputError:
    return InputError(
        "there is no such recipient",
        where="notify.recipients",
        found=recipient,
        allowed=", ".join(known) or "none is set up",
    )


def _table(standings: Iterable[Standing], ways: Mapping[str, str]) -> Table:
    table = Table(
        "接收方 / recipient",
        "方式 / way",
        "待发 / waiting",
        "已发 / sent",
        "失败 / failures",
        "放弃 / given up",
        "丢弃 / dropped",
        "最近送达 / last sent",
        "原因 / why",
    )
    for one in standings:
        table.add_row(
            one.name,
            ways.get(one.name, "? 不在设置中 / not in the settings"),
            str(one.waiting),
            str(one.sent),
            str(one.failures),
            str(len(one.dead)),
            str(one.dropped),
            "" if one.last_sent_at is None else _time(one.last_sent_at),
            one.why,
        )
    return table


def _time(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S}Z"
