"""Reading the town's files: text in the encodings people really have, YAML without surprises."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pipeline.errors import InputError


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML would quietly keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value
            if isinstance(key_node, yaml.ScalarNode) and key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key))
        return super().construct_mapping(node, deep)


def read_bytes(path: Path, error: type[InputError], allowed: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise error("cannot be read", file=path, found=cause.strerror, allowed=allowed) from None


def read_text(path: Path, error: type[InputError], allowed: str) -> str:
    """UTF-8 with or without a byte order mark, or GB18030 as a Chinese Excel saves it."""
    raw = read_bytes(path, error, allowed)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise error(
        "is not text", file=path, found="bytes that are neither UTF-8 nor GBK", allowed=allowed
    )


def read_yaml(path: Path, error: type[InputError]) -> Any:
    """The content of a YAML file; raises ``error`` with the line of what can't be read."""
    text = read_text(path, error, "a YAML file")
    try:
        return yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - derived from SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as cause:
        mark = getattr(cause, "problem_mark", None)
        raise error(
            "is not YAML",
            file=path,
            where=None if mark is None else f"line {mark.line + 1}",
            found=getattr(cause, "problem", None) or type(cause).__name__,
            allowed="a YAML file",
        ) from None


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file in one step: readers see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
