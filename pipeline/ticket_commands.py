"""``gridwatch tickets``: what people do with tickets, one command for each step."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import InputError
from pipeline.terminal import AsJson, SettingsFile, err, opened_desk, out, print_json

if TYPE_CHECKING:
    from pipeline.tickets import Desk, Said, Ticket
    from pipeline.tickets.transitions import Action

Number = Annotated[str, typer.Argument(help="案卷号 / number of the ticket")]
By = Annotated[str | None, typer.Option(help="who gives it; else the user of this machine")]
Note = Annotated[str, typer.Option(help="why, kept in the history")]
Reason = Annotated[str, typer.Option("--note", help="why, kept in the history")]
Expect = Annotated[
    int | None, typer.Option(min=0, help="the version it was decided on; refused if it has changed")
]
For = Annotated[
    list[str] | None,
    typer.Option("--for", help="code of a grid on whose behalf; may be repeated. Else all"),
]
CommandId = Annotated[str, typer.Option(help="the same one sent twice is carried out once")]

# Command, step, what it says, whether it needs a reason.
_STEPS: tuple[tuple[str, Action, str, bool], ...] = (
    ("dispatch", "dispatch", "派遣给责任网格 / hand it to the grid that owns it", False),
    ("accept", "accept", "受理 / take it on", False),
    ("handle", "handle", "开始处置 / begin to handle it", False),
    ("rework", "rework", "返工 / send it back to be handled again", True),
    ("close", "close", "结案 / close it", False),
    ("return", "return", "退回:不属本网格 / give it back, it is not ours", True),
    ("escalate", "escalate", "上报一级网格 / pass it up to the first level", False),
    ("suspend", "suspend", "挂账,停止计时 / let its clock stand", True),
    ("resume", "resume", "恢复,继续计时 / let its clock go on", False),
    ("reject", "reject", "不予立案 / it is no hazard", True),
    ("reopen", "reopen", "重新立案 / open it again, with new clocks", True),
)

app = typer.Typer(no_args_is_help=True, help="案卷 / tickets")


def _add(name: str, action: Action, text: str) -> None:
    @app.command(name, help=text)
    def command(
        ticket_id: Number,
        settings_file: SettingsFile = None,
        by: By = None,
        note: Note = "",
        expect: Expect = None,
        on_behalf: For = None,
        command_id: CommandId = "",
        as_json: AsJson = False,
    ) -> None:
        orders = said(by, note, expect, on_behalf, command_id)
        with opened_desk(settings_file) as opened:
            _tell(opened.desk.move(ticket_id, action, **orders), as_json=as_json)


def _add_with_reason(name: str, action: Action, text: str) -> None:
    @app.command(name, help=text)
    def command(
        ticket_id: Number,
        note: Reason,
        settings_file: SettingsFile = None,
        by: By = None,
        expect: Expect = None,
        on_behalf: For = None,
        command_id: CommandId = "",
        as_json: AsJson = False,
    ) -> None:
        orders = said(by, note, expect, on_behalf, command_id)
        with opened_desk(settings_file) as opened:
            _tell(opened.desk.move(ticket_id, action, **orders), as_json=as_json)


for _name, _action, _text, _needs_reason in _STEPS:
    (_add_with_reason if _needs_reason else _add)(_name, _action, _text)


@app.command("merge")
def tickets_merge(
    ticket_id: Number,
    into: Annotated[str, typer.Argument(help="the ticket that carries on")],
    settings_file: SettingsFile = None,
    by: By = None,
    note: Note = "",
    expect: Expect = None,
    expect_into: Annotated[
        int | None, typer.Option(min=0, help="the same for the ticket that carries on")
    ] = None,
    on_behalf: For = None,
    command_id: CommandId = "",
    as_json: AsJson = False,
) -> None:
    """合并:同一案件 / make a ticket part of another; its number leads there."""
    orders = said(by, note, expect, on_behalf, command_id)
    with opened_desk(settings_file) as opened:
        ticket = opened.desk.merge(ticket_id, into, expected_into=expect_into, **orders)
    _tell(ticket, as_json=as_json)


@app.command("split")
def tickets_split(
    ticket_id: Number,
    incidents: Annotated[list[str], typer.Argument(help="names of incidents, see tickets show")],
    settings_file: SettingsFile = None,
    by: By = None,
    note: Note = "",
    expect: Expect = None,
    on_behalf: For = None,
    command_id: CommandId = "",
    as_json: AsJson = False,
) -> None:
    """拆分:误并的另立案卷 / make a new ticket of incidents that were wrongly merged."""
    orders = said(by, note, expect, on_behalf, command_id)
    with opened_desk(settings_file) as opened:
        _tell(opened.desk.split(ticket_id, incidents, **orders), as_json=as_json)


@app.command("reroute")
def tickets_reroute(
    ticket_id: Annotated[str | None, typer.Argument(help="number of the ticket")] = None,
    grid: Annotated[str | None, typer.Argument(help="code of the new owner")] = None,
    settings_file: SettingsFile = None,
    by: By = None,
    note: Note = "",
    expect: Expect = None,
    on_behalf: For = None,
    command_id: CommandId = "",
    as_json: AsJson = False,
) -> None:
    """改派 / give a ticket to another grid; without arguments: all, by the grid map as it is now.

    不带参数:按当前网格地图改派全部未结案卷。
    """
    with opened_desk(settings_file) as opened:
        if ticket_id is None:
            _follow_map(opened.desk, as_json=as_json)
            return
        if grid is None:
            raise InputError(
                "is missing", where="GRID", allowed="a grid's code, or no arguments at all"
            )
        orders = said(by, note, expect, on_behalf, command_id)
        _tell(opened.desk.reroute(ticket_id, grid, **orders), as_json=as_json)


def _follow_map(desk: Desk, *, as_json: bool) -> None:
    """Whoever asks for it by hand means the map of these settings."""
    rerouted: list[str] = []
    while True:
        found = desk.follow_map(put_in_force=True)
        rerouted += found.rerouted
        if not found.left:
            break
        err.print(f"已改派 / re-routed {len(rerouted)}, 还有 / left {found.left}")
    if as_json:
        print_json({"map": desk.town.grids.version, "rerouted": rerouted})
        return
    for ticket_id in rerouted:
        out.print(ticket_id)
    out.print(f"已改派 / re-routed: {len(rerouted)}")


def said(
    by: str | None, note: str, expect: int | None, on_behalf: list[str] | None, command_id: str
) -> Said:
    return {
        "by": by if by is not None else _user(),
        "note": note,
        "command_id": command_id,
        "expected": expect,
        "grids": on_behalf or None,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        raise InputError("who gives the command?", where="--by", allowed="a name") from None


def _tell(ticket: Ticket, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(ticket))
        return
    out.print(
        f"{ticket.ticket_id}: 状态 / state {ticket.state}, 网格 / grid {ticket.grid_name} "
        f"{ticket.grid_code}, ×{ticket.count}, 版本 / version {ticket.version}",
        soft_wrap=True,
    )
