"""The words of a message: Chinese first, the gravest first, many at once as one."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pipeline.tickets.event_wire import (
    BacklogEvent,
    CameraEvent,
    Event,
    TicketEvent,
    carried_on_by,
)
from pipeline.tickets.notify.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.tickets.wire import TicketMessage

_MOST_NAMED = 10  # of many at once; more is nothing that anybody reads on a phone
_CHINA = timezone(timedelta(hours=8))
_SEVERITIES = ("notice", "warning", "emergency")
_OF_SEVERITY = {"notice": "一般 notice", "warning": "较急 warning", "emergency": "紧急 EMERGENCY"}
_OF_EVENT = {
    "queued": ("待受理", "to be accepted"),
    "remind": ("催办", "reminder"),
    "overdue": ("超时", "overdue"),
    "escalated": ("已上报一级网格", "passed up to the first level"),
    "returned": ("被退回", "returned"),
    "rework": ("返工", "to be done again"),
    "reopened": ("重新立案", "opened again"),
    "regraded": ("情况加重", "graver than thought"),
    "fed_back": ("已反馈，待核查", "reported done, to be checked"),
    "closed": ("已结案", "closed"),
    "rejected": ("不予立案", "no hazard"),
    "emergency": ("应急", "EMERGENCY"),
    "camera_fault": ("摄像机故障", "camera out of order"),
    "camera_well": ("摄像机恢复", "camera well again"),
    "backlog": ("隐患积压", "incidents wait on a box"),
    "backlog_gone": ("积压消除", "none wait any more"),
}
_OF_ALERT = {
    "Alert": ("应急", "EMERGENCY"),
    "Update": ("应急更新", "emergency, update"),
    "Cancel": ("应急解除:非隐患或已并案", "emergency called off"),
}
_WHICH_LIMIT = {"accept": ("受理", "accept"), "handle": ("处置", "handle")}
# What grows, gets late or must be acted upon stands before what is over.
_WEIGHT = {name: place for place, name in enumerate(reversed(_OF_EVENT))} | {"emergency": 99}


def compose(
    message_id: str, events: Sequence[Event], *, console_url: str | None, made_at: float
) -> Message:
    """A message of these events, oldest first; at least one."""
    ordered = sorted(_one_each(events), key=_gravity, reverse=True)
    if len(ordered) == 1:
        title, lines = _single(ordered[0], console_url)
    else:
        title, lines = _many(ordered, len(events), console_url)
    return Message(message_id, title, tuple(lines), tuple(events), made_at)


def plain(text: str) -> str:
    """One line without control characters, and without what a robot takes for a mention."""
    kept = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text)
    return kept.replace("<", "＜").replace(">", "＞").strip()


def _one_each(events: Sequence[Event]) -> list[Event]:
    """Of each ticket, camera and box what counts most; the newest of equals."""
    kept: dict[str, Event] = {}
    for event in events:
        name = _subject(event)
        if name not in kept or _gravity(event) >= _gravity(kept[name]):
            kept[name] = event
    return list(kept.values())


def _subject(event: Event) -> str:
    match event:
        case TicketEvent():
            return f"ticket {event.ticket.ticket_id}"
        case CameraEvent():
            return f"camera {event.camera_id}"
        case BacklogEvent():
            return f"box {event.box}"


def _gravity(event: Event) -> tuple[int, int]:
    severity = _SEVERITIES.index(event.ticket.severity) if isinstance(event, TicketEvent) else 1
    over = isinstance(event, TicketEvent) and event.alert is not None and event.alert.over
    return (severity, -1 if over else _WEIGHT[event.event])


def _single(event: Event, console_url: str | None) -> tuple[str, list[str]]:
    zh, en = _called(event)
    match event:
        case TicketEvent(ticket=ticket):
            severity = _OF_SEVERITY[ticket.severity]
            names = plain(ticket.name_zh), plain(ticket.name_en)
            lines = [
                f"案卷 Ticket: {ticket.ticket_id}",
                f"网格 Grid: {plain(ticket.grid.name)} {ticket.grid.code}",
                f"位置 Place: {plain(ticket.address)} ({_point(ticket)})",
                *_deadlines(event),
            ]
            other = carried_on_by(event)
            if other is not None:
                lines.append(f"转入案卷 Carried on by: {other}")
            if event.step.note:
                lines.append(f"说明 Note: {plain(event.step.note)}")
            lines += _link(ticket, console_url)
            return f"【{severity}】{names[0]} {zh} / {names[1]}, {en}", lines
        case CameraEvent():
            since = f"自 since {_time(event.since_at)}"
            state = f"{event.state}: {plain(event.why)}" if event.why else event.state
            lines = [f"摄像机 Camera: {plain(event.name)} {event.camera_id}", f"{state}, {since}"]
            return f"【运维 operation】{zh} / {en}", lines
        case BacklogEvent():
            lines = [f"主机 Box: {plain(event.box)}", f"待发 Waiting: {event.waiting}"]
            return f"【运维 operation】{zh} / {en}", lines


def _many(ordered: Sequence[Event], events: int, console_url: str | None) -> tuple[str, list[str]]:
    first = ordered[0]
    severity = (
        _OF_SEVERITY[first.ticket.severity] if isinstance(first, TicketEvent) else "运维 operation"
    )
    counts = Counter(_called(event) for event in ordered)
    lines = [
        "、".join(f"{zh} {count}" for (zh, _), count in counts.most_common())
        + " / "
        + ", ".join(f"{en} {count}" for (_, en), count in counts.most_common()),
        *(f"{place}. {_brief(event)}" for place, event in enumerate(ordered[:_MOST_NAMED], 1)),
    ]
    more = len(ordered) - _MOST_NAMED
    if more > 0:
        lines.append(f"另有 {more} 件 / and {more} more")
    if console_url is not None:
        lines.append(f"链接 Link: {console_url}")
    subject = _brief(first)
    title = (
        f"【{severity}】{len(ordered)} 件 ({events} 条消息): {subject} 等 / {len(ordered)} at once"
    )
    return title, lines


def _brief(event: Event) -> str:
    zh, en = _called(event)
    match event:
        case TicketEvent(ticket=ticket):
            severity = _OF_SEVERITY[ticket.severity].partition(" ")[0]
            return (
                f"{severity} {plain(ticket.name_zh)} {zh} {ticket.ticket_id}, "
                f"{plain(ticket.address)} / {plain(ticket.name_en)}, {en}"
            )
        case CameraEvent():
            return f"{zh} {plain(event.name)} {event.camera_id} {event.state} / {en}"
        case BacklogEvent():
            return f"{zh} {plain(event.box)} {event.waiting} / {en}"


def _called(event: Event) -> tuple[str, str]:
    if isinstance(event, TicketEvent):
        if event.alert is not None:
            if event.ticket.state == "closed":
                return "应急结束:已结案", "emergency over, closed"
            return _OF_ALERT[event.alert.type]
        limit = event.step.facts.get("limit")
        if event.event in ("remind", "overdue") and limit in _WHICH_LIMIT:
            which = _WHICH_LIMIT[limit]
            zh, en = _OF_EVENT[event.event]
            return f"{which[0]}{zh}", f"{en} ({which[1]})"
    return _OF_EVENT[event.event]


def _deadlines(event: TicketEvent) -> list[str]:
    ticket, step = event.ticket, event.step
    if ticket.state in ("closed", "rejected", "merged"):
        return []
    by = []
    # What was accepted in time and is passed on later has that limit behind it.
    runs = step.at < ticket.accept_due_at.timestamp() or step.facts.get("limit") == "accept"
    if ticket.state in ("filed", "dispatched", "escalated") and runs:
        by.append(f"受理 accept by {_time(ticket.accept_due_at)}")
    by.append(f"处置 handle by {_time(ticket.handle_due_at)}")
    return [f"时限 Due: {', '.join(by)}"]


def _link(ticket: TicketMessage, console_url: str | None) -> list[str]:
    return [] if console_url is None else [f"链接 Link: {console_url}/tickets/{ticket.ticket_id}"]


def _point(ticket: TicketMessage) -> str:
    place = ticket.place
    return f"{place.lat:.6f}, {place.lon:.6f} WGS-84 ±{place.radius_m:.0f} m"


def _time(when: datetime | float) -> str:
    moment = when if isinstance(when, datetime) else datetime.fromtimestamp(when, UTC)
    return f"{moment.astimezone(_CHINA):%Y-%m-%d %H:%M}"
