"""The indices in words: their names, what each one is a share of, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.console.words import Pair


@dataclass(frozen=True, slots=True)
class IndexWords:
    """``means`` is the definition of docs/indices.md in one breath."""

    name: Pair
    means: Pair
    more_is_better: bool = True


INDICES: dict[str, IndexWords] = {
    "handled_in_time_rate": IndexWords(
        ("按时处置率", "handled in time"),
        (
            (
                "按时处置数 ÷ 应处置数。按时：最后一次未被退回的反馈不晚于处置时限，"
                "挂账期间时限停走。应处置：已处置，或时限已过；作废、未派遣、挂账中的不计。"
            ),
            (
                "Handled by the limit, among those due. Handled: the last feedback that no check "
                "sent back; the limit stands still while a ticket is suspended. Due: handled, or "
                "past the limit; rejected, undispatched and suspended ones are not."
            ),
        ),
    ),
    "handled_rate": IndexWords(
        ("处置率", "handled"),
        (
            "处置数 ÷ 应处置数，不论是否按时。",
            "Handled, in time or late, among those due.",
        ),
    ),
    "rework_rate": IndexWords(
        ("返工率", "done again"),
        (
            "核查后至少返工一次的案卷 ÷ 至少反馈过一次的案卷。复发重新立案不算返工。",
            (
                "Sent back by a check at least once, among those fed back at least once. A hazard "
                "that came back is not rework."
            ),
        ),
        more_is_better=False,
    ),
    "filed_rightly_rate": IndexWords(
        ("准确立案率", "filed rightly"),
        (
            "（立案数 − 作废数）÷ 立案数，即发现的准确程度。",
            "Filed and not rejected, among those filed: how right the findings are.",
        ),
    ),
    "filed_in_time_rate": IndexWords(
        ("按时立案率", "decided in time"),
        (
            (
                "发现后在规定时间内派遣或作废的 ÷ 已派遣、已作废或已超过该时间的。"
                "自动立案的事项，立案即派遣。"
            ),
            (
                "Dispatched or rejected within the limit after the finding, among those decided on "
                "or past it. Where a duty files by itself, filing is the decision."
            ),
        ),
    ),
    "dispatched_rightly_rate": IndexWords(
        ("准确派遣率", "dispatched rightly"),
        (
            "责任网格未退回的派遣 ÷ 派遣数。",
            "Dispatches that the owner did not return, among all dispatches.",
        ),
    ),
}
BYS: dict[str, Pair] = {
    "grid": ("按网格", "by grid"),
    "department": ("按部门", "by department"),
    "hazard": ("按隐患", "by hazard"),
    "month": ("按月份", "by month"),
}
COUNTS: dict[str, str] = {
    "filed": "立案数",
    "voided": "作废数",
    "decided": "应定案数",
    "decided_in_time": "按时定案数",
    "dispatches": "派遣数",
    "returned": "退回数",
    "due": "应处置数",
    "handled": "处置数",
    "handled_in_time": "按时处置数",
    "fed_back": "反馈数",
    "reworked": "返工数",
}
"""Headers of the file for spreadsheets; in English it has the names of docs/indices.md."""
