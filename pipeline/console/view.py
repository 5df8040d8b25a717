"""What the status page shows, made ready for the template: words, colours and times left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from pipeline.tickets.transitions import WAITING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.tickets import Desk, Ticket

_CHINA = timezone(timedelta(hours=8))
_CAMERAS_SHOWN = 60  # a town has a thousand; those in trouble come first
_YELLOW_FROM = 0.8  # of the limit; red when it is used up

STATE_NAMES = {
    "detected": "已发现",
    "filed": "待审核",
    "dispatched": "已派遣",
    "accepted": "已受理",
    "handling": "处置中",
    "fed_back": "已反馈",
    "closed": "已结案",
    "returned": "已退回",
    "escalated": "已上报",
    "suspended": "已挂账",
    "rejected": "不予立案",
    "merged": "已合并",
}
SOURCE_NAMES = {"video": "视频智能发现", "resident": "居民上报", "staff": "人工上报"}
SEVERITY_NAMES = {"notice": "一般", "warning": "较急", "emergency": "紧急"}
CAMERA_NAMES = {
    "connecting": "连接中",
    "live": "在线",
    "stalled": "停滞",
    "unreachable": "不可达",
    "unauthorised": "认证失败",
    "unsupported": "不支持",
    "frozen": "画面冻结",
    "dark": "过暗",
    "covered": "被遮挡",
    "moved": "移位",
    "disabled": "停用",
}
ACTION_NAMES = {
    "file": "立案",
    "dispatch": "派遣",
    "add_incident": "并入新发现",
    "add_report": "并入新上报",
    "see_still": "反馈后仍在",
    "verify": "核查通过",
    "regrade": "升级",
    "see_cleared": "画面中已消失",
    "reopen": "复发，重新立案",
    "hold_evidence": "证据留存",
    "release_evidence": "解除证据留存",
    "accept": "受理",
    "handle": "处置",
    "feed_back": "反馈",
    "rework": "返工",
    "remind": "催办",
    "overdue": "超时",
    "close": "结案",
    "return": "退回",
    "escalate": "上报",
    "suspend": "挂账",
    "resume": "恢复",
    "reject": "不予立案",
    "merge": "合并",
}


@dataclass(frozen=True, slots=True)
class Deadline:
    """The limit that runs now: for whom, when it ends, how it stands."""

    name_zh: str
    name_en: str
    at: str
    left: str
    lamp: str  # green, yellow, red, or none when nothing is due


@dataclass(frozen=True, slots=True)
class Card:
    """One ticket on the page."""

    ticket: Ticket
    picture: str | None
    deadline: Deadline
    state_zh: str
    severity_zh: str
    sources_zh: str
    filed: str
    steps: tuple[tuple[str, str, str, str], ...]


def card(ticket: Ticket, now: float) -> Card:
    """A ticket as the page shows it."""
    return Card(
        ticket=ticket,
        picture=ticket.evidence[-1].annotated if ticket.evidence else None,
        deadline=_deadline(ticket, now),
        state_zh=STATE_NAMES[ticket.state],
        severity_zh=SEVERITY_NAMES[ticket.severity],
        sources_zh="、".join(SOURCE_NAMES[source] for source in ticket.sources),
        filed=_time(ticket.filed_at),
        steps=tuple(
            (
                _time(s.at),
                ACTION_NAMES.get(s.action, s.action),
                s.action,
                s.facts.get("camera_id", s.by),
            )
            for s in reversed(ticket.steps)
        ),
    )


def page(desk: Desk, limit: int, now: float) -> dict[str, Any]:
    """Everything about tickets; raises DeskUnavailableError."""
    tickets = desk.tickets(limit=limit)
    waiting = desk.waiting()
    return {
        "cards": [card(ticket, now) for ticket in tickets],
        "queues": [
            (desk.town.grids.get(code).name if code in desk.town.grids else code, code, count)
            for code, count in sorted(waiting.items(), key=lambda item: (-item[1], item[0]))
        ],
        "waiting": sum(waiting.values()),
        "emergencies": sum(one.open and one.severity == "emergency" for one in tickets),
        "overdue": sum(_deadline(one, now).lamp == "red" for one in tickets),
    }


def cameras(rows: Iterable[Mapping[str, Any]], now: float) -> dict[str, Any]:
    """Camera states: those in trouble first, and how many there are of each."""
    shown = [
        {
            "id": row["camera_id"],
            "name": row.get("name") or "",
            "state": row["state"],
            "state_zh": CAMERA_NAMES.get(row["state"], row["state"]),
            "for": _span(max(0.0, now - row["since_at"])) if row.get("since_at") else "",
            "why": row.get("why") or "",
        }
        for row in rows
    ]
    shown.sort(key=lambda one: (one["state"] == "live", one["id"]))
    return {
        "cameras": shown[:_CAMERAS_SHOWN],
        "cameras_left_out": max(0, len(shown) - _CAMERAS_SHOWN),
        "live": sum(one["state"] == "live" for one in shown),
        "camera_count": len(shown),
    }


def clock_text(now: float) -> str:
    """Local time of day."""
    return datetime.fromtimestamp(now, _CHINA).strftime("%H:%M:%S")


def _deadline(ticket: Ticket, now: float) -> Deadline:
    accepting = ticket.state in WAITING
    due_at = ticket.accept_due_at if accepting else ticket.handle_due_at
    names = ("受理时限", "accept by") if accepting else ("处置时限", "handle by")
    if not ticket.open:
        return Deadline(*names, _time(due_at), "", "none")
    if ticket.suspended_at is not None:
        return Deadline(*names, _time(due_at), "计时暂停", "none")
    used = (now - ticket.filed_at) / max(1.0, due_at - ticket.filed_at)
    lamp = "red" if used >= 1 else "yellow" if used >= _YELLOW_FROM else "green"
    left_s = due_at - now
    left = f"剩 {_span(left_s)}" if left_s >= 0 else f"超时 {_span(-left_s)}"
    return Deadline(*names, _time(due_at), left, lamp)


def _time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, _CHINA).strftime("%m-%d %H:%M")


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} 分"
    if minutes < 48 * 60:
        return f"{minutes // 60} 小时 {minutes % 60:02d} 分"
    return f"{minutes // 1440} 天"
