"""Live pictures: what people look at now, and the newest picture of it, kept in Redis for a while.

The console says which cameras somebody looks at (``want``); the box that reads such a camera makes
pictures of what it keeps anyway (``Photographer``) and puts them here, covered. So nobody opens a
second connection to a camera, and where nobody looks nothing is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from redis.client import NEVER_DECODE

from pipeline.tickets.keys import Keys
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

Size = Literal["wall", "view"]
SIZES: tuple[Size, ...] = get_args(Size)

LONGEST_PX: dict[Size, int] = {"wall": 320, "view": 1280}
"""The longer side of a picture."""
KEPT_S: dict[Size, int] = {"wall": 3600, "view": 600}
"""For so long the newest picture of a camera stays, though no newer one comes."""
BEFORE_S = 20
"""And one that isn't the newest any more: somebody sees it still."""
WANTED_S: dict[Size, float] = {"wall": 30.0, "view": 10.0}
"""Who looks at a camera says so again within this."""
WANTED_AT_MOST = 500
HELD_S = 1800
"""How long a picture is kept in which somebody draws."""
HELD_AT_MOST = 64


@dataclass(frozen=True, slots=True)
class Shot:
    """A covered picture of a camera: a JPEG of ``width`` x ``height`` pixels.

    ``taken_at``: when it came from the camera (Unix seconds UTC, to a millisecond).
    """

    camera_id: str
    size: Size
    data: bytes
    taken_at: float
    width: int
    height: int

    @property
    def shot_id(self) -> str:
        """Names it among the pictures of its camera and size."""
        return id_of(self.taken_at)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody looks at this camera now; ``shot_id`` names the newest picture there is of it."""

    camera_id: str
    size: Size
    shot_id: str | None


def id_of(taken_at: float) -> str:
    return str(round(taken_at * 1000))


class Shots:
    """Raises DeskUnavailableError as the desk does; safe among threads."""

    def __init__(self, redis: Redis, *, prefix: str = "gridwatch") -> None:
        self._redis: Any = redis  # redis-py types every answer as one that may be awaited
        self._root = Keys(prefix).root
        self._scripts: dict[str, Any] = {
            name: redis.register_script(
                (files("pipeline.tickets") / "lua" / f"shots_{name}.lua").read_text("utf-8")
            )
            for name in ("want", "wanted", "put", "hold")
        }

    def want(
        self, camera_ids: Iterable[str], size: Size = "wall", seconds: float | None = None
    ) -> None:
        """Somebody looks at these cameras, for so long unless it is said again."""
        members = [f"{size}|{camera_id}" for camera_id in camera_ids]
        if members:
            lasts = repr(WANTED_S[size] if seconds is None else seconds)
            self._run("want", lasts, WANTED_AT_MOST, *members)

    def wanted(self) -> list[Wanted]:
        """What somebody looks at now, by this word of theirs."""
        answer = iter(self._run("wanted"))
        return [
            Wanted(camera_id, cast("Size", size), shot_id or None)
            for size, camera_id, shot_id in zip(answer, answer, answer, strict=True)
        ]

    def put(self, shot: Shot) -> None:
        """It is the newest of its camera from now on."""
        self._run(
            "put",
            f"{shot.size}|{shot.camera_id}",
            shot.shot_id,
            shot.width,
            shot.height,
            shot.data,
            KEPT_S[shot.size],
            BEFORE_S,
        )

    def newest(self, camera_ids: Iterable[str], size: Size = "wall") -> dict[str, str]:
        """The ids of the newest pictures of these cameras, where there are any."""
        wanted = list(camera_ids)
        if not wanted:
            return {}
        with mapped("reading live pictures"):
            found = self._redis.mget([self._newest(camera_id, size) for camera_id in wanted])
        return {one: shot_id for one, shot_id in zip(wanted, found, strict=True) if shot_id}

    def latest(self, camera_id: str, size: Size = "wall") -> Shot | None:
        """The newest picture of a camera; None where there is none (yet)."""
        shot_id = self.newest([camera_id], size).get(camera_id)
        return None if shot_id is None else self.of(camera_id, shot_id, size)

    def of(self, camera_id: str, shot_id: str, size: Size = "view") -> Shot | None:
        """Just this picture; None when it is gone or there never was one of this name."""
        if not (shot_id.isascii() and shot_id.isdigit() and len(shot_id) < 16):
            return None
        key = f"{self._root}:shots:shot:{shot_id}|{size}|{camera_id}"
        with mapped("reading live pictures"):
            width, height, data = self._redis.execute_command(
                "HMGET", key, "width", "height", "data", **{NEVER_DECODE: True}
            )
        if data is None:
            return None
        return Shot(camera_id, size, data, int(shot_id) / 1000, int(width), int(height))

    def hold(self, camera_id: str, shot_id: str, size: Size = "view") -> bool:
        """Keep this very picture for HELD_S, since somebody draws in it; False: it is gone."""
        return bool(
            self._run("hold", f"{size}|{camera_id}", shot_id, HELD_S, HELD_AT_MOST, BEFORE_S)
        )

    def _newest(self, camera_id: str, size: Size) -> str:
        return f"{self._root}:shots:newest:{size}|{camera_id}"

    def _run(self, name: str, *arguments: str | bytes | float) -> Any:
        with mapped("live pictures"):
            return self._scripts[name](keys=[self._root], args=list(arguments))
