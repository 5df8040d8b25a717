"""What is wrong with zones, marked points and camera lists, said Chinese first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.console.words import Pair
    from pipeline.errors import InputError

ZONE_KINDS: dict[str, Pair] = {
    "carriageway": ("车行道", "carriageway"),
    "footway": ("人行道", "footway"),
    "ignore": ("忽略", "ignore"),
}
DATUMS: dict[str, Pair] = {
    "wgs84": ("WGS-84（GPS、卫星定位）", "WGS-84 (GPS)"),
    "gcj02": ("GCJ-02（高德、腾讯地图）", "GCJ-02 (Gaode, Tencent maps)"),
    "bd09": ("BD-09（百度地图）", "BD-09 (Baidu maps)"),
    "cgcs2000": ("CGCS2000（国家大地坐标系）", "CGCS2000 (national)"),
}

# By how the readers of lists word it; what is not here is said as they do.
_PROBLEMS: tuple[tuple[str, str], ...] = (
    ("too few marked points", "标定点太少：至少 4 对，8 对更好"),
    ("a mark is outside the picture", "有标定点在画面之外（画面坐标为 0 到 1）"),
    ("the marked points don't fit together", "标定点彼此不符，请检查误差最大的点"),
    (
        "all marked points, or all but one, lie on one line",
        "标定点（几乎）在一条直线上，或有重复：请在路面上散开选点，任意三点不共线",
    ),
    ("no plane fits the marked points", "这些点不能构成地面，请重新选点"),
    ("some marked points would lie behind the camera", "有的点会落在摄像机背后，请检查"),
    ("the marked points are mirrored", "标定点左右颠倒：经度在前、纬度在后，画面横坐标向右"),
    ("a mark is too far from the camera", "有标定点离摄像机太远，坐标系选对了吗"),
    ("not a list of points", "标定点格式不对"),
    ("not a zone|is not a list|not a point|not a number", "格式不对"),
    ("unknown kind of zone", "区域类型不认识"),
    ("a corner of zone", "区域有角点在画面之外"),
    ("zone .* has too few corners", "区域至少要有 3 个不同的角点"),
    ("the outline of zone", "区域的边界自相交或没有面积"),
    ("the camera's entry was changed", "这个摄像机的条目已被改动，没有覆盖任何内容"),
    ("the list was changed at this very moment", "清单刚刚被改动，没有覆盖任何内容"),
    ("this entry can't be changed alone", "这个条目不能单独改动，请手工修改清单"),
    ("cannot be written", "清单无法写入"),
    ("cannot be read", "清单无法读取"),
    ("there is no such camera", "清单里没有这个摄像机"),
    ("can't be written back as it is", "清单的编码无法原样写回，请另存为 UTF-8"),
    ("lon and lat seem exchanged", "经度和纬度好像写反了"),
    ("out of range for", "经纬度超出范围"),
    (".* exists only in China", "这个坐标系只在中国使用"),
    ("lies .* outside", "位置在本镇之外，坐标系选对了吗"),
)


def refusal(error: InputError) -> Pair:
    """The error for a page: what is wrong, where, what was found and what is allowed."""
    zh = next((said for like, said in _PROBLEMS if re.match(like, error.problem)), error.problem)
    point = point_of(error)
    if point:
        zh = f"第 {point} 点：{zh}"
    found = f"（{error.found}）" if error.found and len(error.found) <= 80 else ""
    english = "; ".join(
        part
        for part in (
            f"point {point}: {error.problem}" if point else error.problem,
            f"found {error.found}" if found else "",
            f"allowed: {error.allowed}" if error.allowed else "",
        )
        if part
    )
    return f"{zh}{found}", english


def point_of(error: InputError) -> int | None:
    """The number of the marked point that is to blame, from 1."""
    found = re.search(r"point (\d+)$", error.where or "")
    return int(found[1]) if found else None
