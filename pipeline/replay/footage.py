"""Which clips a replay plays, and which camera each of them stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import FootageError
from pipeline.strict_yaml import load_yaml
from pipeline.town import Camera

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.town import Town

SUFFIXES = frozenset(
    (".mp4", ".mkv", ".mov", ".avi", ".ts", ".m4v", ".webm", ".flv", ".mpg", ".h264", ".h265")
)

# Clips that no camera list knows lie this far apart, so that their hazards never merge.
_APART_DEG = 0.1


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and its camera; ``placed`` tells if anybody knows where that camera stands."""

    path: Path
    camera: Camera
    placed: bool


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: Path
    camera_id: str | None = None


class _Set(BaseModel):
    model_config = ConfigDict(extra="forbid")

    clips: Annotated[list[_Entry], Field(min_length=1)]


def gather(target: Path, town: Town | None = None) -> list[Clip]:
    """Clips of a file, a folder or a set (YAML: ``clips: [{path, camera_id}]``), by name.

    A clip is its file stem's camera. Raises FootageError.
    """
    if target.suffix.lower() in (".yaml", ".yml"):
        entries = _read_set(target)
    elif target.is_dir():
        entries = [
            (path.stem, path)
            for path in sorted(target.iterdir())
            if path.suffix.lower() in SUFFIXES
        ]
        if not entries:
            raise FootageError(
                "no clips in the folder", file=target, allowed=" ".join(sorted(SUFFIXES))
            )
    elif target.is_file():
        entries = [(target.stem, target)]
    else:
        raise FootageError(
            "not found", file=target, allowed="a clip, a folder of clips, or a set (.yaml)"
        )
    _refuse_doubles(target, [camera_id for camera_id, _ in entries])
    known = {} if town is None else {camera.camera_id: camera for camera in town.cameras}
    return [_clip(at, name, path, known) for at, (name, path) in enumerate(entries)]


def _clip(at: int, camera_id: str, path: Path, known: dict[str, Camera]) -> Clip:
    camera = known.get(camera_id)
    if camera is not None:
        return Clip(path, replace(camera, url=str(path)), placed=True)
    unknown = Camera(camera_id, camera_id, str(path), lon=at % 1000 * _APART_DEG, lat=0.0)
    return Clip(path, unknown, placed=False)


def _read_set(path: Path) -> list[tuple[str, Path]]:
    try:
        values = load_yaml(path.read_text(encoding="utf-8"))
        clips = _Set.model_validate(values).clips
    except ValidationError as error:
        raise FootageError.from_validation(
            error, file=path, known=[*_Set.model_fields, *_Entry.model_fields]
        ) from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise FootageError("the set cannot be read", file=path, found=error) from None
    at = [path.parent / clip.path for clip in clips]
    return [(clip.camera_id or file.stem, file) for clip, file in zip(clips, at, strict=True)]


def _refuse_doubles(target: Path, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FootageError("two clips are the same camera", file=target, found=name)
        seen.add(name)
