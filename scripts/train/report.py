"""report.html of a scored model: one file to look at, on a phone too, without a network.

It holds pictures of real streets and people: keep it where the data are kept.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from .alarms import FOUND_IOU
from .cameras import view_of
from .charts import Chart, Line, legend, svg
from .classes import HAZARDS, IDS
from .progress import charts
from .sheets import KINDS, jpeg_url, tiles
from .slices import is_pasted, is_rendered
from .titles import class_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .precision import Seen
    from .progress import Row
    from .score import Material, Result
    from .slices import Slice

LABELS_BY = {
    "hand": "人工 hand",
    "exact": "精确 exact",
    "pasted": "贴入 pasted",
    "detector": "检测器 detector",
}
SHEET_TITLES = {"hit": "命中 hits", "miss": "漏检 misses", "false": "误报 false alarms"}
CURVES_OF = ("held_out/fixed", "held_out", "rendered")
TILES = 8
_SHEETS = {
    "cameras": "摄像头等 cameras and others",
    "pasted": "贴入 pasted",
    "rendered": "渲染 rendered",
    "web": "网络近照 web close-ups",
}
STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2a8a4a; --miss: #c02a2a }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; margin: 1.5rem auto;
  max-width: 68rem; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.3rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem } small, .dim { opacity: .7 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap }
td, th { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: right }
td:first-child, th:first-child { text-align: left; white-space: normal; min-width: 6rem;
  overflow-wrap: normal; position: sticky; left: 0; background: Canvas }
summary { cursor: pointer; margin-top: .6rem } svg { width: 100%; height: auto; display: block }
.axis { stroke: var(--line) } text { font-size: 12px; fill: currentColor } .tick { font-size: 10px }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .5rem }
.sheet figure { margin: 0 } .sheet img { width: 100%; display: block; border-radius: .3rem }
.sheet figcaption { font-size: 12px; opacity: .75 } .key { margin-right: 1rem }
.key i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .3em }
.better { color: var(--good) } .worse { color: var(--miss) }
"""


def write(path: Path, results: Sequence[Result], material: Material, log: list[Row] | None) -> None:
    """Write the page: the first result in full, the others beside it.

    ``log``: lines of the training as ``progress.read_log`` gives them.
    """
    name = escape(results[0].name)
    parts = (
        _head(results, material),
        _thresholds(results[0]),
        "<h2>平均精度 average precision</h2>",
        *(_slice(part, results, is_open=at < 3) for at, part in enumerate(material.slices)),
        _alarms(results, material.slices),
        _collapses(results),
        _curves(results, material.slices),
        charts(log) if log else "",
        _sheets(results[0]),
    )
    path.write_text(
        '<!doctype html><html lang="zh"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} 评分报告 / score report</title><style>{STYLE}</style>"
        f"<h1>{name} 评分报告 / score report</h1>{''.join(parts)}</html>\n",
        encoding="utf-8",
    )


def _head(results: Sequence[Result], material: Material) -> str:
    taken, unseen = (sum(one[why] for one in material.folders) for why in ("taken", "unseen"))
    sizes = ", ".join(
        f"{escape(one.name)} {one.summary['size'][0]}×{one.summary['size'][1]}" for one in results
    )
    return (
        f"<p>{sizes}<p>共 {len(material.pictures)} 张图片,同样的缩放、同样的图片。"
        f"未见摄像头 {taken + unseen} 张:其中 {taken} 张取自训练集(此前训练的模型见过),"
        f"{unseen} 张的摄像头从未进入训练。<br><small>{len(material.pictures)} pictures, the same "
        f"for every model. {taken + unseen} are held out: {taken} taken out of the training part "
        f"(models trained before that have seen them), {unseen} from cameras that were never in "
        "it. Labels “detector” are another detector's: agreement, not truth. Small, medium, large: "
        "below 32², 96² pixels of the 640×384 look.</small>"
    )


def _thresholds(result: Result) -> str:
    head = "".join(f"<th>{class_title(name)}" for name in result.classes)
    row = "".join(f"<td>{result.thresholds[name]:.2f}" for name in result.classes)
    return (
        "<h2>阈值 thresholds</h2><div class=scroll><table>"
        f"<tr><th>{head}<tr><td>{escape(result.name)}{row}</table></div>"
    )


def _slice(part: Slice, results: Sequence[Result], *, is_open: bool) -> str:
    rows = [one.summary["slices"][part.key]["classes"] for one in results]
    names = [name for name in IDS if any(name in of for of in rows)]
    if not names:
        return ""
    heads = ["类别 class"]
    heads += [f"{escape(one.name)}<br><small>AP50 (AP50-95)</small>" for one in results]
    heads += ["小 small", "中 medium", "大 large", "框 boxes", "标注 labels"]
    body = "".join(_class_row(name, [of.get(name) for of in rows]) for name in names)
    return (
        f"<details{' open' if is_open else ''}><summary>{escape(part.title)} "
        f"<small>{len(part.members)} 张 pictures</small></summary><div class=scroll><table>"
        f"<tr>{''.join(f'<th>{head}' for head in heads)}{body}</table></div></details>"
    )


def _class_row(name: str, rows: Sequence[dict[str, Any] | None]) -> str:
    known = next(row for row in rows if row)
    first = rows[0]
    cells = "".join(_compared(row, None if at == 0 else first) for at, row in enumerate(rows))
    sizes = "".join(
        f"<td>{_number(first[f'ap50_{size}']) if first else '—'}"
        for size in ("small", "medium", "large")
    )
    makers = ", ".join(LABELS_BY[maker] for maker in known["labels_by"])
    return (
        f"<tr><td>{class_title(name)}{cells}{sizes}<td>{known['boxes']}<td><small>{makers}</small>"
    )


def _compared(row: dict[str, Any] | None, first: dict[str, Any] | None) -> str:
    """A cell; of a model beside the first, green where the first is better by 0.01 or more."""
    if row is None:
        return "<td>—"
    text = f"{_number(row['ap50'])} <small>({_number(row['ap50_95'])})</small>"
    if first is None or None in (row["ap50"], first["ap50"]):
        return f"<td>{text}"
    gain = first["ap50"] - row["ap50"]
    mark = "" if abs(gain) < 0.01 else f" class={'better' if gain > 0 else 'worse'}"
    return f"<td>{text} <small{mark}>{gain:+.3f}</small>"


def _alarms(results: Sequence[Result], slices: Sequence[Slice]) -> str:
    columns = [(one, name) for one in results for name in one.classes if IDS[name] in HAZARDS]
    if not columns:
        return ""
    head = "".join(
        f"<th>{escape(one.name)}<br><small>{class_title(name)} ≥ {one.thresholds[name]:.2f}</small>"
        for one, name in columns
    )
    body = ""
    for part in slices:
        quiet = results[0].summary["false_alarms"].get(part.key)
        if quiet is not None:
            cells = (one.summary["false_alarms"][part.key][name] for one, name in columns)
            row = "".join(f"<td>{cell['per_hundred']:.1f}" for cell in cells)
            body += f"<tr><td>{escape(part.title)}<td>{quiet['pictures']}{row}"
    return (
        "<h2>误报 false alarms</h2><p>每百张无隐患图片的误报框数 <small>false boxes per 100 "
        "pictures without a hazard, at the threshold shown</small><div class=scroll><table>"
        f"<tr><th>图片 pictures<th>张 count{head}{body}</table></div>"
    )


def _collapses(results: Sequence[Result]) -> str:
    found = {one.name: one.summary["collapses"] for one in results if one.summary["collapses"]}
    if not found:
        return ""
    tables = "".join(f"<h3>{escape(name)}</h3>{_recalls(of)}" for name, of in found.items())
    return (
        "<h2>渲染塌陷 rendered collapses</h2><p><small>≥ 1 m, ≤ 40 m; 重叠 IoU ≥ "
        f"{FOUND_IOU}</small>{tables}"
    )


def _recalls(of: dict[str, Any]) -> str:
    """Table of what was found, at the score that is nearly free of false boxes and at others."""
    rows = {"全部 all": of["all"], "有标注者 labelled": of["labelled"]}
    rows |= {f"距离 distance {band}": row for band, row in of["by_distance"].items()}
    rows |= {f"大小 size {band}": row for band, row in of["by_size"].items()}
    rows |= {escape(kind): row for kind, row in of["by_kind"].items()}
    columns = {
        "recall": f"≥ {of['threshold']:.2f}<br>"
        f"<small>{of['per_hundred']:g} 误报 false / 100</small>",
        "recall_on_card": f"≥ {of['threshold_on_card']:.2f} 卡片 card<br>"
        f"<small>{of['per_hundred_on_card']:g} 误报 false / 100</small>",
        "recall_at_all": "任何分数<br><small>any score</small>",
    }
    head = "".join(f"<th>召回 recall {text}" for text in columns.values())
    body = "".join(
        f"<tr><td>{title}<td>{row['holes']}"
        + "".join(f"<td>{_number(row[recall])}" for recall in columns)
        for title, row in rows.items()
    )
    mistaken = ", ".join(f"{escape(kind)} {count}" for kind, count in of["taken_for_holes"].items())
    return (
        f"<div class=scroll><table><tr><th>塌陷 collapses<th>处 holes{head}{body}</table></div>"
        f"<p><small>误报位于 false boxes ≥ {of['threshold_on_card']:.2f} lie on: {mistaken or '—'}"
        "</small>"
    )


def _curves(results: Sequence[Result], slices: Sequence[Slice]) -> str:
    titles = {part.key: part.title for part in slices}
    text = "<h2>精度-召回曲线 precision and recall</h2><p>IoU 0.5. "
    text += legend([one.name for one in results])
    for key in CURVES_OF:
        if key in titles:
            charts = "".join(_curve(key, name, results) for name in IDS)
            text += f"<h3>{escape(titles[key])}</h3><div class=charts>{charts}</div>"
    return text


def _curve(key: str, name: str, results: Sequence[Result]) -> str:
    recalls = [at / 100 for at in range(101)]
    curves = [one.precision.get((key, name)) for one in results]
    if not any(of and of.curve for of in curves):
        return ""
    lines = [
        Line(one.name, recalls, of.curve) if of and of.curve else Line(one.name, [], [])
        for one, of in zip(results, curves, strict=True)
    ]
    return svg(Chart(class_title(name), "recall", 1.0, 1.0, lines))


def _sheets(result: Result) -> str:
    """Sheets of each hazard that the model knows; close-ups, pasted and rendered ones apart."""
    parts: dict[str, list[Seen]] = {title: [] for title in _SHEETS.values()}
    for one in result.seen:
        parts[_SHEETS[_sheet_of(one)]].append(one)
    text = (
        "<h2>图例 pictures</h2><p>绿框真值,橙框模型 <small>green: truth, orange: the model</small>"
    )
    for name in result.classes:
        if IDS[name] in HAZARDS:
            for where, seen in parts.items():
                text += _sheet(f"{class_title(name)}, {where}", seen, name, result.thresholds[name])
    return text


def _sheet_of(one: Seen) -> str:
    if is_rendered(one.picture):
        return "rendered"
    if is_pasted(one.picture):
        return "pasted"
    return "web" if view_of(one.picture) == "web" else "cameras"


def _sheet(title: str, seen: Iterable[Seen], name: str, threshold: float) -> str:
    text = ""
    chosen = tiles(seen, IDS[name], threshold, TILES)
    for kind in KINDS:
        if chosen[kind]:
            figures = "".join(
                f'<figure><img loading=lazy alt="" src="{jpeg_url(tile)}"><figcaption>'
                f"{escape(tile.one.picture.name)}</figcaption></figure>"
                for tile in chosen[kind]
            )
            text += f"<h3>{title}: {SHEET_TITLES[kind]}</h3><div class=sheet>{figures}</div>"
    return text


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
