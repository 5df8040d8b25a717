"""The fields of a duty in words, their choices, and what is wrong with what somebody typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.console import words

if TYPE_CHECKING:
    from pipeline.console.words import Language, Pair
    from pipeline.errors import DutiesError
    from pipeline.town import Limit

FIELDS: dict[str, Pair] = {
    "name_zh": ("名称", "Name in Chinese"),
    "name_en": ("英文名称", "Name in English"),
    "event_code": ("事件代码", "Event code"),
    "department": ("责任部门", "Department"),
    "severity": ("严重程度", "Severity"),
    "accept_limit": ("受理时限", "Accept within"),
    "handle_limit": ("处置时限", "Handle within"),
    "calendar": ("计时", "Clock"),
    "filing": ("立案", "Filing"),
    "verify": ("核查", "Checked by"),
    "radius_m": ("并案半径（米）", "One case within (m)"),
    "evidence_days": ("证据保存（天）", "Evidence kept (days)"),
    "emergency": ("同时报应急办", "Emergency office told as well"),
}
CHOICES: dict[str, dict[str, Pair]] = {
    "severity": words.SEVERITIES,
    "calendar": {"wall": ("自然时间", "wall clock"), "working": ("可用工作时间", "working time")},
    "filing": {"auto": ("自动立案", "at once"), "review": ("人工审核后立案", "after a review")},
    "verify": {
        "person": ("人工", "a person"),
        "camera": ("摄像机", "the camera"),
        "both": ("人工和摄像机", "both"),
    },
}
KINDS: dict[str, Pair] = {
    "cavity": ("坑洞", "hole"),
    "crash": ("交通事故", "crash"),
    "vehicle": ("车辆停占", "standing vehicle"),
    "object": ("障碍物", "thing on the road"),
    "crowd": ("人群", "crowd"),
}
_UNITS: dict[str, Pair] = {
    "min": ("分钟", "min"),
    "h": ("小时", "h"),
    "d": ("天", "d"),
    "wh": ("工作小时", "working h"),
    "wd": ("工作日", "working d"),
}
_FAULTS: dict[str, str] = {
    "not a time limit": (
        "时限写成数字加单位：min、h、d（自然时间）或 wh、wd（工作时间），如 30min、4wh"
    ),
    "working time under calendar wall": "按自然时间计时，时限不能用 wh、wd",
    "is not allowed": "不能这样填",
    "has changed since it was opened for editing": "责任清单文件刚被别人改过，请刷新后重新修改",
    "would change another duty as well": "文件的写法使其他责任也会一起变化，请直接修改文件",
    "can't be edited here": "文件的写法不能在页面上修改，请直接修改文件",
}


def limit(value: Limit, language: Language) -> str:
    return f"{value.amount:g} {words.name(_UNITS, value.unit, language)}"


def fault(error: DutiesError) -> Pair:
    """Why a duty was not saved."""
    zh = _FAULTS.get(error.problem, str(error))
    field = (error.where or "").rpartition(".")[2]
    named = f"{FIELDS[field][0]}：" if field in FIELDS else ""
    return f"没有保存。{named}{zh}", f"Not saved. {error}"
