"""The parts of the validation pictures that are scored on their own, and whose labels are whose.

Real and rendered pictures never share a slice. Labels made by hand or known exactly are told
from those of another detector: a score on the latter is agreement with that detector.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .cameras import UNSEEN, view_of
from .classes import HAZARDS, IDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .folders import Picture

Maker = Literal["exact", "pasted", "hand", "detector"]

# Labelled by hand in the road series, parked ones added by a detector.
_ROAD_CLASSES = frozenset(IDS[name] for name in ("car", "bus", "truck"))
_NOTES = {"light": "光线 light", "weather": "天气 weather", "street": "街道 street"}
_VIEWS = {
    "fixed": "固定摄像头 fixed cameras",
    "dash-cam": "行车记录 dash-cams",
    "web": "网络近照 web close-ups",
    "survey": "道路普查 road survey",
    "crowd": "人群 crowds",
    "photo": "COCO 照片 COCO photos",
}


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Numbers of pictures; ``by_hand``: without classes whose labels there are a detector's.

    ``key`` is for machines, ``title`` for people.
    """

    key: str
    title: str
    members: tuple[int, ...]
    by_hand: bool = False


def is_rendered(picture: Picture) -> bool:
    return picture.source.startswith("rendered")


def is_pasted(picture: Picture) -> bool:
    """Whether its holes were pasted into a real picture."""
    return picture.source.startswith(("pasted", "composite"))


def maker_of(picture: Picture, class_id: int) -> Maker:
    """Who made the labels of this class in this picture."""
    if is_rendered(picture):
        return "exact"
    if class_id in HAZARDS:
        return "pasted" if is_pasted(picture) else "hand"
    kind = picture.name.partition("_")[0]
    if kind == "coco" or (kind == "det" and class_id in _ROAD_CLASSES):
        return "hand"
    return "detector"


def slices_of(pictures: Sequence[Picture], held: Mapping[str, str]) -> list[Slice]:
    """Slices with at least one picture. ``held``: names of held-out pictures (hold_out)."""
    real = [at for at, picture in enumerate(pictures) if not is_rendered(picture)]
    kept = [at for at in real if pictures[at].name in held]
    bare = [at for at in kept if not is_pasted(pictures[at])]
    fixed = [at for at in bare if view_of(pictures[at]) == "fixed"]
    unseen = [at for at in fixed if held[pictures[at].name] == UNSEEN]
    pasted = [at for at in kept if is_pasted(pictures[at])]
    given = [at for at in real if pictures[at].split == "val"]
    made = [
        ("held_out", "未见摄像头,全部 held-out cameras, all", bare),
        ("held_out/fixed", f"未见摄像头:{_VIEWS['fixed']}, held out", fixed),
        ("held_out/fixed/unseen", "其中旧模型也未见 of these, not seen by older models", unseen),
        ("held_out/pasted", "贴入的坑洞,未见背景 pasted holes, held-out cameras", pasted),
    ]
    for light, members in _grouped(pasted, _noted(pictures, "light")):
        made.append((f"held_out/pasted/{light}", f"贴入的坑洞 pasted holes: {light}", members))
    for view, members in _grouped(bare, lambda at: view_of(pictures[at])):
        if view != "fixed":
            made.append((f"held_out/{view}", f"未见:{_VIEWS.get(view, view)}, held out", members))
    made.append(("val", "数据自带验证集 val as the data come", given))
    made += [
        (f"val/{source}", f"验证集 val: {source}", members)
        for source, members in _grouped(given, lambda at: pictures[at].source)
    ]
    made += _rendered([at for at, one in enumerate(pictures) if is_rendered(one)], pictures)
    slices = [Slice(key, title, tuple(members)) for key, title, members in made if members]
    if bare:
        title = "未见,仅人工标注 held out, labels made by hand only"
        slices.insert(1, Slice("held_out/by_hand", title, tuple(bare), by_hand=True))
    return slices


def _rendered(
    members: list[int], pictures: Sequence[Picture]
) -> Iterable[tuple[str, str, list[int]]]:
    yield "rendered", "渲染街景 rendered streets", members
    for note, title in _NOTES.items():
        for value, part in _grouped(members, _noted(pictures, note)):
            yield f"rendered/{note}/{value}", f"渲染 rendered, {title}: {value}", part


def _noted(pictures: Sequence[Picture], note: str) -> Callable[[int], str | None]:
    return lambda at: pictures[at].notes.get(note)


def _grouped(
    members: Iterable[int], key: Callable[[int], str | None]
) -> list[tuple[str, list[int]]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for at in members:
        if value := key(at):
            groups[value].append(at)
    return sorted(groups.items())
