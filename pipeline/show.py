"""What the commands print for people: tables and paragraphs, Chinese first.

Printed on a console without markup: names and notes may contain brackets.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from pipeline.bench import Figure
    from pipeline.console.open311 import ApiKey
    from pipeline.doctor import Finding
    from pipeline.hazards import Incident
    from pipeline.replay import Comparison, Played
    from pipeline.tickets import RefusedList, Report, Ticket, TicketMessage

SOURCES = {"video": "视频 video", "resident": "居民 resident", "staff": "工作人员 staff"}


def messages(waiting: Iterable[TicketMessage]) -> Table:
    table = _table("案卷号 / ticket", "隐患 / hazard", "位置 / place", "受理时限 / accept by")
    for message in waiting:
        table.add_row(
            message.ticket_id,
            f"{message.name_zh} {message.name_en}",
            message.address,
            f"{message.accept_due_at:%Y-%m-%d %H:%M}Z",
        )
    return table


def message_line(message: TicketMessage) -> str:
    """One entry of a queue in one line."""
    return (
        f"{message.filed_at:%Y-%m-%d %H:%M:%S}Z {message.ticket_id} {message.state} "
        f"{message.name_zh} {message.name_en}: {message.address}, ×{message.count}, "
        f"受理 / accept by {message.accept_due_at:%m-%d %H:%M}Z"
    )


def waiting(counts: Mapping[str, int], names: Mapping[str, str]) -> Table:
    table = _table("网格 / grid", "名称 / name", "待办 / waiting")
    for code, count in sorted(counts.items()):
        table.add_row(code, names[code], str(count))
    return table


def tickets(found: Iterable[Ticket]) -> Table:
    table = _table(
        *("案卷号 / ticket", "隐患 / hazard", "网格 / grid", "位置 / place", "状态 / state", "×"),
        "来源 / source",
    )
    for one in found:
        table.add_row(
            one.ticket_id,
            f"{one.name_zh} {one.name_en}",
            f"{one.grid_name} {one.grid_code}",
            one.address,
            one.state,
            str(one.count),
            sources(one),
        )
    return table


def sources(one: Ticket) -> str:
    """Where everything that the ticket is made of came from."""
    return ", ".join(SOURCES[source] for source in one.sources)


def ticket(one: Ticket, evidence_dir: Path) -> RenderableType:
    place = one.place
    near = f"   关注 / watched by: {', '.join(one.watchers)}" if one.watchers else ""
    led = f"   并入 / merged into: {one.merged_into}" if one.merged_into else ""
    steps = Table(
        "时间 / at", "步骤 / step", "状态 / state", "经办 / by", "备注 / note", "时限 / limit"
    )
    for step in one.steps:
        due = "" if step.due_at is None else _time(step.due_at)
        steps.add_row(_time(step.at), step.action, step.state, step.by, step.note, due)
    return Group(
        Text.assemble((one.ticket_id, "bold"), f" {one.name_zh} / {one.name_en}"),
        f"状态 / state: {one.state}{led}   级别 / severity: {one.severity}   "
        f"部门: {one.department}   版本 / version: {one.version}",
        f"网格 / grid: {one.grid_name} {one.grid_code}   {one.address}{near}",
        f"位置 / place: {place.lat:.6f}, {place.lon:.6f} WGS-84 ±{place.radius_m:.0f} m",
        f"受理时限 / accept by: {_time(one.accept_due_at)}",
        f"处置时限 / handle by: {_time(one.handle_due_at)}",
        f"来源 / source: {sources(one)}   摄像头 / cameras: {', '.join(one.camera_ids) or '—'}",
        *(
            f"线索 / incident: {found.incident_id} {found.camera_id} {found.hazard}"
            for found in one.incidents
        ),
        *(report(each) for each in one.reports),
        *(f"图 / picture: {evidence_dir / evidence.annotated}" for evidence in one.evidence),
        *(
            f"图 / picture ({step.action}): {evidence_dir / step.facts['picture']}"
            for step in one.steps
            if "picture" in step.facts
        ),
        steps,
    )


def report(one: Report) -> RenderableType:
    """What somebody reported, in their words: text, never markup."""
    place = one.place
    where = f"{place.lat:.6f}, {place.lon:.6f} ±{place.radius_m:.0f} m" if place else "位置不明"
    what = f"{one.hazard}.{one.kind}" if one.kind else one.hazard
    who = f"{SOURCES[one.source]} ({one.by})"
    lines = [
        f"上报 / report {one.report_id}   {who}   {_time(one.reported_at)}   {what}",
        f"  {where}   {one.camera_id or ''} {one.address}".rstrip(),
    ]
    return Text("\n".join([*lines, f"  {one.description}"] if one.description else lines))


def api_keys(found: Iterable[ApiKey]) -> Table:
    table = _table("名称 / name", "创建 / made", "吊销 / revoked")
    for one in found:
        table.add_row(one.name, _time(one.made_at), _time(one.revoked_at) if one.revoked_at else "")
    return table


def reasons(incident: Incident) -> RenderableType:
    trail: dict[str, Any] = dict(incident.trail)
    looks = Table("时间 / at", "得分 / score", "依据 / rule")
    for at, score, rule in trail["looks"]:
        looks.add_row(_time(at), f"{score:.2f}", rule or "—")
    parts = ", ".join(f"{name} {value:+.1f}" for name, value in trail["parts"].items()) or "—"
    return Group(
        Text.assemble((incident.incident_id, "bold"), f" {incident.camera_id} {incident.hazard}"),
        f"依据 / rule {trail['kind']}   证据 / log-odds {parts}",
        f"停留 / dwell {trail['dwell_s']} s",
        f"观看 / looks {trail.get('purpose', 'whole')}   "
        f"遮挡 / obstructed looks {trail['obstructed_looks']}   "
        f"模型 / model {trail['model']}   设置 / settings {trail['settings']}",
        "量测 / measures "
        + (", ".join(f"{name} {value:g}" for name, value in incident.measures.items()) or "—"),
        looks,
    )


def cameras(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Columns about looks are left out where nobody knows of any, as while cameras are checked."""
    shown = {
        name: title
        for name, title in (
            ("look_age_s", "最近画面 / newest look"),
            ("longest_gap_s", "一小时内最长间隔 / longest gap, 1 h"),
        )
        if any(name in row for row in rows)
    }
    table = _table("摄像头 / camera", "状态 / state", "自 / since", *shown.values(), "原因 / why")
    for row in rows:
        since = row["since_at"]
        table.add_row(
            row["camera_id"],
            row["state"] or "未知 / not told",
            _time(since) if since else "",
            *(_duration(row.get(name)) for name in shown),
            row["why"],
        )
    return table


def refused_list(one: RefusedList) -> str:
    return (
        f"{one.host} 仍用旧的摄像头清单，新的有误 / goes on with the camera list it had since "
        f"{_time(one.since_at)}: {one.why}"
    )


def findings(found: Iterable[Finding]) -> Table:
    table = Table("", "检查 / check", "结果 / finding")
    for finding in found:
        table.add_row("✓" if finding.good else "✗", finding.check, finding.text)
    return table


def played(
    clips: Sequence[Played], result: Mapping[str, Any] | None, folder: Path
) -> RenderableType:
    table = _table("片段 / clip", "隐患 / hazard", "依据 / rule", "始 / start", "确认 / confirmed")
    for one in clips:
        for incident in one.incidents:
            table.add_row(
                one.clip.path.name,
                incident.hazard,
                str(incident.trail["kind"]),
                f"{incident.started_at:.1f} s",
                f"{incident.confirmed_at:.1f} s",
            )
        if not one.incidents:
            table.add_row(one.clip.path.name, "—", "", "", "")
    lines = [f"结果 / results: {folder}"]
    if result is not None:
        overall = result["overall"]
        lines.insert(
            0,
            f"事件 / events {overall['events']}, 发现 / found {overall['found']}, "
            f"漏报 / missed {overall['missed']}, 误报 / false {overall['false_alarms']}, "
            f"F1 {_figure(overall['f1'])}, S4 {_figure(overall['s4'])}",
        )
        if result["not_played"]:
            missing = ", ".join(result["not_played"])
            lines.insert(1, f"真值中未回放的摄像头 / in the truth but not played: {missing}")
    return Group(table, *lines)


_OUTCOME = {
    "incidents": "隐患 / incidents",
    "found": "发现 / found",
    "missed": "漏报 / missed",
    "false_alarms": "误报 / false",
    "refuted": "复看撤回 / taken back by a second look",
    "second_looks": "复看次数 / second looks",
    "no_finer": "画面不更清晰,未复看 / no finer picture for one",
    "looks": "常规查看 / ordinary looks",
    "ms_per_look": "每次查看毫秒 / detector ms a look",
    "ms_per_second_look": "每次复看毫秒 / detector ms a second look",
    "second_ms_per_incident": "每起隐患复看毫秒 / second-look ms an incident",
    "second_share": "复看占检测时间 / second looks' share of the detector",
}


def beside(found: Mapping[str, Any]) -> RenderableType:
    """Two replays of the same clips, as ``beside.json`` has them."""
    table = _table("", "本次 / this", " ".join(found["beside"]))
    for name, told in _OUTCOME.items():
        values = [found[which][name] for which in ("this", "other")]
        table.add_row(told, *(str(v) if isinstance(v, int) else _figure(v) for v in values))
    return table


def figures(found: Iterable[Figure]) -> RenderableType:
    """What each one means stands below: it would squeeze the numbers."""
    table = _table("", "测得 / figure", "下限 / floor", "倍数 / ratio", "目标 / target")
    meanings = []
    for one in found:
        target = "" if one.target is None else f"{'×' if one.of_ratio else ''}{one.target:g}"
        mark = {True: " ✓", False: " ✗", None: ""}[one.met]
        table.add_row(
            one.name,
            f"{one.figure:.3g} {one.unit}",
            "—" if one.floor is None else f"{one.floor:.3g} {one.unit}",
            "—" if one.ratio is None else f"{one.ratio:.2f}",
            target + mark,
        )
        meanings.append(f"{one.name}: {one.means}")
    return Group(table, *meanings)


def comparison(found: Comparison) -> RenderableType:
    table = _table("", "摄像头 / camera", "隐患 / hazard", "始 / start", "变化 / change")
    rows = [("+ 新增 / appeared", row, "") for row in found.appeared]
    rows += [("- 消失 / vanished", row, "") for row in found.vanished]
    rows += [("~ 变化 / moved", pair.after, ", ".join(pair.changes)) for pair in found.moved]
    for sign, row, change in rows:
        table.add_row(sign, row.camera_id, row.hazard, f"{row.started_s:.1f} s", change)
    same = f"相同 / same: {len(found.pairs) - len(found.moved)}"
    return Group(table, same) if rows else same


def _table(name: str, *others: str) -> Table:
    """The first column, what one copies, is never cut; the others fold instead of losing text."""
    table = Table()
    table.add_column(name, no_wrap=True)
    for other in others:
        table.add_column(other, overflow="fold")
    return table


def _time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _figure(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
