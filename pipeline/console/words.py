"""What things are called, Chinese and English, and how times are said."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Literal

Language = Literal["zh", "en"]
Pair = tuple[str, str]
LANGUAGES: tuple[Language, Language] = ("zh", "en")

_CHINA = timezone(timedelta(hours=8))

STATES: dict[str, Pair] = {
    "detected": ("已发现", "detected"),
    "filed": ("待审核", "to be reviewed"),
    "dispatched": ("待受理", "to be accepted"),
    "accepted": ("已受理", "accepted"),
    "handling": ("处置中", "being handled"),
    "fed_back": ("待核查", "to be checked"),
    "closed": ("已结案", "closed"),
    "returned": ("已退回", "returned"),
    "escalated": ("已上报一级网格", "passed up"),
    "suspended": ("已挂账", "suspended"),
    "rejected": ("不予立案", "rejected"),
    "merged": ("已合并", "merged"),
}
SEVERITIES: dict[str, Pair] = {
    "notice": ("一般", "notice"),
    "warning": ("较急", "urgent"),
    "emergency": ("紧急", "emergency"),
}
HAZARDS: dict[str, Pair] = {
    "road_collapse": ("路面塌陷", "road collapse"),
    "road_damage": ("道路破损", "road damage"),
    "blockage": ("道路受阻", "blockage"),
    "crowd": ("人群聚集", "crowd"),
}
SOURCES: dict[str, Pair] = {
    "video": ("视频智能发现", "found by camera"),
    "resident": ("居民上报", "reported by a resident"),
    "staff": ("人工上报", "reported by staff"),
}
CAMERA_STATES: dict[str, Pair] = {
    "connecting": ("连接中", "connecting"),
    "live": ("在线", "live"),
    "stalled": ("停滞", "stalled"),
    "unreachable": ("不可达", "unreachable"),
    "unauthorised": ("认证失败", "unauthorised"),
    "unsupported": ("不支持", "unsupported"),
    "frozen": ("画面冻结", "frozen"),
    "dark": ("过暗", "dark"),
    "covered": ("被遮挡", "covered"),
    "moved": ("移位", "moved"),
    "disabled": ("停用", "disabled"),
    "unknown": ("无人值守", "not watched"),
}
# Why a look that was due was not taken.
SKIPPED: dict[str, Pair] = {
    "replaced": ("检测不及，换成更新的画面", "detector too slow, a newer picture came"),
    "no_slot": ("检测不及，没有位置", "detector too slow, no room"),
    "thinned": ("检测不及，降低频率", "detector too slow, looked at less often"),
    "corrupt": ("画面损坏", "damaged picture"),
    "frozen": ("画面冻结", "frozen picture"),
    "dark": ("过暗", "too dark"),
    "covered": ("被遮挡", "covered"),
    "moved": ("移位", "moved"),
    "down": ("没有画面", "no picture came"),
    "stopped": ("盒子停机", "the box was stopped"),
}
ROLES: dict[str, Pair] = {
    "member": ("网格员", "grid member"),
    "head": ("网格长", "grid head"),
    "command": ("一级网格", "town command"),
    "operator": ("运维", "operator"),
    "viewer": ("查看", "viewer"),
    "admin": ("管理员", "admin"),
}
# Steps as they stand in a history.
STEPS: dict[str, Pair] = {
    "file": ("立案", "filed"),
    "dispatch": ("派遣", "dispatched"),
    "add_incident": ("并入新发现", "another finding merged"),
    "add_report": ("并入新上报", "another report merged"),
    "see_still": ("反馈后仍在", "still there after feedback"),
    "verify": ("核查通过", "checked by a person"),
    "regrade": ("升级", "graver than thought"),
    "see_cleared": ("画面中已消失", "gone from the picture"),
    "reopen": ("复发，重新立案", "came back, opened again"),
    "hold_evidence": ("证据留存", "evidence put on hold"),
    "release_evidence": ("解除证据留存", "evidence released"),
    "accept": ("受理", "accepted"),
    "handle": ("到场处置", "work begun"),
    "feed_back": ("反馈", "reported done"),
    "rework": ("返工", "to be done again"),
    "remind": ("催办", "reminder"),
    "overdue": ("超时", "overdue"),
    "close": ("结案", "closed"),
    "return": ("退回", "returned"),
    "escalate": ("上报", "passed up"),
    "suspend": ("挂账", "suspended"),
    "resume": ("恢复", "resumed"),
    "reject": ("不予立案", "rejected"),
    "merge": ("合并", "merged"),
    "take_in": ("并入其他案卷", "another ticket merged in"),
    "split": ("拆分", "split"),
    "reroute": ("改派", "re-routed"),
}
# The same as buttons.
BUTTONS: dict[str, Pair] = {
    "accept": ("受理", "Accept"),
    "dispatch": ("派遣到网格", "Dispatch to the grid"),
    "handle": ("已到场，开始处置", "On site, begin"),
    "feed_back": ("处置完毕，反馈", "Done, report back"),
    "close": ("核查通过，结案", "Fixed: close"),
    "rework": ("未处理好，返工", "Not fixed: do again"),
    "return": ("不属本网格，退回", "Not ours: return"),
    "escalate": ("无法处置，上报一级网格", "Can't fix: pass up"),
    "suspend": ("挂账，暂停计时", "Suspend, stop the clock"),
    "resume": ("恢复处置", "Resume"),
    "reject": ("不予立案", "Reject"),
}
# What must be said with a step; without it the next one in the loop knows nothing.
REASON_NEEDED = frozenset({"return", "escalate", "suspend", "reject", "rework"})


def pick(pair: Pair, language: Language) -> str:
    return pair[language == "en"]


def name(table: dict[str, Pair], key: str, language: Language) -> str:
    """The name of something; what the table doesn't know is said as it is."""
    return pick(table.get(key, (key, key)), language)


def local(unix_s: float) -> datetime:
    """A moment by the clocks of the town."""
    return datetime.fromtimestamp(unix_s, _CHINA)


def day(text: str) -> datetime:
    """The beginning of a day of the town, ``2026-11-23``. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=_CHINA)


def second(unix_s: float) -> str:
    """A moment to the second, by the clocks of the town."""
    return local(unix_s).strftime("%Y-%m-%d %H:%M:%S")


def moment(unix_s: float, now: float, language: Language) -> str:
    """A time of day in China, with the date unless it is today's."""
    then, today = (datetime.fromtimestamp(one, _CHINA) for one in (unix_s, now))
    clock = then.strftime("%H:%M")
    days = (then.date() - today.date()).days
    near: dict[int, Pair] = {0: ("", ""), 1: ("明天 ", "tomorrow "), -1: ("昨天 ", "yesterday ")}
    if days in near:
        return pick(near[days], language) + clock
    date = then.strftime("%m-%d" if then.year == today.year else "%Y-%m-%d")
    return f"{date} {clock}"


def span(seconds: float, language: Language) -> str:
    """A duration in the two units that matter."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return pick((f"{minutes} 分钟", f"{minutes} min"), language)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return pick((f"{hours} 小时 {minutes:02d} 分", f"{hours} h {minutes:02d} min"), language)
    days, hours = divmod(hours, 24)
    return pick((f"{days} 天 {hours} 小时", f"{days} d {hours} h"), language)


def ago(seconds: float, language: Language) -> str:
    """How long ago, from seconds on."""
    if seconds < 60:
        return pick((f"{seconds:.0f} 秒前", f"{seconds:.0f} s ago"), language)
    return pick((f"{span(seconds, 'zh')}前", f"{span(seconds, 'en')} ago"), language)


def clock(unix_s: float, now: float, language: Language) -> str:
    """A time of day to the second, as ``moment``."""
    then = datetime.fromtimestamp(unix_s, _CHINA)
    return f"{moment(unix_s, now, language)}:{then:%S}"
