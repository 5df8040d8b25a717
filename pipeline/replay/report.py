"""report.html: what a replay found, to look at; beside its pictures, without a network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pipeline.hazards import Incident
    from pipeline.replay.run import Played
    from pipeline.replay.truth import TruthEvent

_WIDTH = 600  # of the drawings, in their own units; the page scales them
NAMES = {
    "road_collapse": "路面塌陷 road collapse",
    "road_damage": "道路破损 road damage",
    "blockage": "占道阻断 blockage",
    "crowd": "人群聚集 crowd",
}
STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2a8a4a; --found: #d9641e;
  --miss: #c02a2a }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; margin: 1.5rem auto;
  max-width: 62rem; padding: 0 1rem }
h1 { font-size: 1.3rem } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem } small { opacity: .7 }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left }
svg { width: 100%; height: auto; display: block }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1rem }
.card { border: 1px solid var(--line); border-radius: .5rem; overflow: hidden }
.card img { width: 100%; display: block } .card div { padding: .5rem .8rem }
.false { outline: 3px solid var(--miss) } .truth { fill: var(--good) } .found { fill: var(--found) }
.axis { stroke: var(--line) } .score { fill: none; stroke: var(--found); stroke-width: 2 }
text { font-size: 12px; fill: currentColor }
"""


def write_report(
    path: Path,
    played: Sequence[Played],
    events: Sequence[TruthEvent] | None,
    result: Mapping[str, Any] | None,
) -> None:
    """Write the page; ``events`` and ``result`` (score.json) where the truth is known."""
    false = {one["incident_id"] for one in result["false_alarms"]} if result else set()
    clips = "".join(_clip(one, events, false) for one in played)
    title = "gridwatch 回放报告 / replay report"
    path.write_text(
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style><h1>{title}</h1>{_summary(played, result)}{clips}</html>\n",
        encoding="utf-8",
    )


def _summary(played: Sequence[Played], result: Mapping[str, Any] | None) -> str:
    seconds = sum(one.watched_s for one in played)
    found = sum(len(one.incidents) for one in played)
    text = (
        f"<p>{len(played)} 段录像 / clips, {seconds:.0f} s, "
        f"{sum(one.looks for one in played)} 次观看 / looks, {found} 起隐患 / incidents</p>"
    )
    if result is None:
        return text
    head = (
        "<tr><th>隐患 / hazard<th>事件 / events<th>发现 / found<th>漏报 / missed"
        "<th>误报 / false<th>F1<th>S4<th>发现用时 / time to detect</tr>"
    )
    rows = {"全部 / all": result["overall"], **result["hazards"]}
    return f"{text}<table>{head}{''.join(_row(name, of) for name, of in rows.items())}</table>"


def _row(name: str, of: Mapping[str, Any]) -> str:
    counts = "".join(f"<td>{of[key]}" for key in ("events", "found", "missed", "false_alarms"))
    shown = (NAMES.get(name, name), counts, _number(of["f1"]), _number(of["s4"]))
    wait = _number(of["time_to_detect_median_s"], " s")
    return "<tr><td>{}{}<td>{}<td>{}<td>{}</tr>".format(*shown, wait)


def _number(value: float | None, unit: str = "") -> str:
    return "—" if value is None else f"{value:.3g}{unit}"


def _clip(one: Played, events: Sequence[TruthEvent] | None, false: set[str]) -> str:
    camera_id = one.clip.camera.camera_id
    real = [event for event in events or () if event.camera_id == camera_id]
    problem = f"<p><strong>{escape(one.problem)}</strong></p>" if one.problem else ""
    cards = "".join(
        _card(incident, one, is_false=incident.incident_id in false) for incident in one.incidents
    )
    nothing = "" if one.incidents or real else "<small>无 / nothing</small>"
    return (
        f"<h2>{escape(camera_id)} <small>{one.watched_s:.0f} s</small></h2>{problem}{nothing}"
        f'{_timeline(one, real)}<div class="cards">{cards}</div>'
    )


def _timeline(one: Played, real: Iterable[TruthEvent]) -> str:
    """Truth above, incidents below, over the length of the clip."""
    length = max(one.watched_s, 0.1)
    bars = [(0, "truth", event.start_s, event.end_s, event.hazard) for event in real]
    bars += [
        (1, "found", incident.started_at, incident.cleared_at, incident.hazard)
        for incident in one.incidents
    ]
    if not bars:
        return ""
    drawn = "".join(
        f'<rect class="{kind}" x="{_WIDTH * start / length:.1f}" y="{4 + 16 * row}" rx="3" '
        f'width="{max(2.0, _WIDTH * ((end or length) - start) / length):.1f}" height="12">'
        f"<title>{kind}: {NAMES[hazard]}, {start:.1f} s</title></rect>"
        for row, kind, start, end, hazard in bars
    )
    labels = f'<text x="{_WIDTH + 8}" y="14">真实 / truth</text>'
    labels += f'<text x="{_WIDTH + 8}" y="30">发现 / found</text>'
    return f'<svg viewBox="0 0 {_WIDTH + 100} 36" role="img">{drawn}{labels}</svg>'


def _card(incident: Incident, one: Played, *, is_false: bool) -> str:
    evidence = one.evidence.get(incident.incident_id)
    picture = "" if evidence is None else f'<img src="evidence/{evidence.annotated}" alt="">'
    trail: Mapping[str, Any] = incident.trail
    parts = ", ".join(f"{name} {value:+.1f}" for name, value in trail["parts"].items())
    measures = ", ".join(f"{name} {value:g}" for name, value in incident.measures.items())
    wrong = "<br><strong>误报 / false alarm</strong>" if is_false else ""
    return (
        f'<div class="card{" false" if is_false else ""}">{picture}<div>'
        f"<strong>{NAMES[incident.hazard]}</strong> ({escape(str(trail['kind']))}){wrong}<br>"
        f"始 / start {incident.started_at:.1f} s, 确认 / confirmed {incident.confirmed_at:.1f} s, "
        f"得分 / score {incident.score:.2f}<br><small>{escape(parts)} {escape(measures)}<br>"
        f"{incident.incident_id}</small>{_scores(trail['looks'])}</div></div>"
    )


def _scores(looks: Sequence[Sequence[Any]]) -> str:
    """How the evidence went, look by look."""
    if len(looks) < 2:
        return ""
    first, last = looks[0][0], looks[-1][0]
    scale = 300 / max(last - first, 0.1)
    line = " ".join(f"{(at - first) * scale:.1f},{44 - 40 * score:.1f}" for at, score, _ in looks)
    return (
        '<svg viewBox="0 0 300 48" role="img"><title>得分 / score</title>'
        '<line class="axis" x1="0" x2="300" y1="24" y2="24"/>'
        f'<polyline class="score" points="{line}"/></svg>'
    )
