"""How a training went, from its log.jsonl: losses, and AP50 on a few pictures, over its steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError

from .charts import Chart, Line, svg
from .titles import class_title

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Row = dict[str, float]
AP50 = "AP50 "
_NO_LOSS = {"step", "slope", "rate", "fade", "pictures_per_s", "waited", "trained_s", "progress"}


def read_log(run: Path) -> list[Row]:
    """The lines of the log of the training in ``run``, steps rising.

    A training that went on from a checkpoint has done some steps twice: the later lines stay.
    Raises DataError.
    """
    path = run / "log.jsonl"
    kept: list[Row] = []
    for number, row in enumerate(_lines(path), 1):
        numbers = isinstance(row, dict) and all(
            isinstance(one, int | float) for one in row.values()
        )
        if not numbers or "step" not in row:
            raise DataError(
                "is no log of a training",
                file=path,
                where=f"line {number}",
                allowed="lines with step and figures",
            )
        while kept and _is_redone(kept[-1], row):
            kept.pop()
        kept.append(row)
    if not kept:
        raise DataError("is no log of a training", file=path, found="nothing in it")
    return kept


def charts(rows: list[Row]) -> str:
    """A chart for each loss, and one for the AP50 of each class."""
    names = list(dict.fromkeys(name for row in rows for name in row if name not in _NO_LOSS))
    looks = [name for name in names if name.startswith(AP50)]
    losses = [name for name in names if name not in looks]
    last = max(rows[-1]["step"], 1.0)
    text = ""
    if losses:
        drawn = "".join(_chart(name, rows, name, last, None) for name in losses)
        text += f"<h2>训练损失 training losses</h2><div class=charts>{drawn}</div>"
    if looks:
        drawn = "".join(
            _chart(name, rows, class_title(name.removeprefix(AP50)), last, 1.0) for name in looks
        )
        text += (
            "<h2>训练中的平均精度 AP50 while training</h2><p><small>少量未训练图片 "
            f"on a few pictures that training never saw</small><div class=charts>{drawn}</div>"
        )
    return text


def _chart(name: str, rows: Iterable[Row], title: str, last: float, top: float | None) -> str:
    """Of one figure; without ``top`` the axis leaves out the highest 2 %, mostly the first ones."""
    points = [(row["step"], row[name]) for row in rows if name in row]
    steps, values = zip(*points, strict=True)
    top = top or sorted(values)[int(len(values) * 0.98)] * 1.1 or 1.0
    return svg(Chart(title, "step", last, top, [Line(name, steps, values)]))


def _is_redone(before: Row, row: Row) -> bool:
    """A look at the network may share its step with a line of losses."""
    same = before["step"] == row["step"] and before.keys() == row.keys()
    return same or before["step"] > row["step"]


def _lines(path: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError("is no log of a training", file=path, found=error) from None
