"""Reading the town's files: the encodings people really have, and refusals that name the place."""

from __future__ import annotations

import difflib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.strict_yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.errors import InputError

Model = TypeVar("Model", bound=BaseModel)

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how .xlsx (a ZIP) and .xls begin


def read_bytes(path: Path, error: type[InputError], allowed: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise error("cannot be read", file=path, found=cause.strerror, allowed=allowed) from None


def read_text(path: Path, error: type[InputError], allowed: str) -> str:
    """UTF-8 with or without a byte order mark, or GB18030 as a Chinese Excel saves it."""
    raw = read_bytes(path, error, allowed)
    if raw.startswith(_WORKBOOKS):
        raise error("is an Excel workbook", file=path, allowed=f"{allowed}: save it as CSV UTF-8")
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
        return load_yaml(text)
    except (yaml.YAMLError, RecursionError, ValueError) as cause:
        mark = getattr(cause, "problem_mark", None)
        raise error(
            "is not YAML",
            file=path,
            where=None if mark is None else f"line {mark.line + 1}",
            found=getattr(cause, "problem", None) or type(cause).__name__,
            allowed="a YAML file",
        ) from None


def checked(
    model: type[Model], values: Any, error: type[InputError], *, file: Path, where: str
) -> Model:
    """``values`` as the wire model, or ``error`` that names the field of the first problem.

    A field that nobody knows goes before one that is missing: it is most likely that one misspelt.
    """
    try:
        return model.model_validate(values)
    except ValidationError as cause:
        problems = cause.errors()
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    field = ".".join([where, *(str(part) for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        raise unknown("field", first["loc"][-1], model.model_fields, error, file=file, where=where)
    if first["type"] == "missing":
        raise error("field missing", file=file, where=field, allowed=first["msg"])
    raise error(
        "is not allowed",
        file=file,
        where=field,
        found=repr(first["input"])[:120],
        allowed=first["msg"],
    )


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that was most likely meant: ``Longitude`` is ``lon``; None if none is near.

    ``allowed`` are in small letters.
    """
    plain, names = name.strip().lower(), list(allowed)
    close = difflib.get_close_matches(plain, names, n=1)
    longer = [known for known in names if len(plain) >= 3 and plain.startswith(known)]
    return next(iter([*close, *longer]), None)


def unknown(
    what: str,
    name: Any,
    allowed: Iterable[str],
    error: type[InputError],
    *,
    file: Path,
    where: str | None = None,
) -> InputError:
    """The error about a name that isn't one of the allowed, with the nearest that is."""
    names = list(allowed)
    near = nearest(str(name), names)
    hint = f" (did you mean {near}?)" if near else ""
    return error(
        f"unknown {what}",
        file=file,
        where=where,
        found=repr(name),
        allowed=", ".join(names) + hint,
    )


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace the file in one step: readers see the old content or the new, never a part.

    An existing file keeps its permissions, and its owner where we may give files away; a new one
    gets ``mode``. Raises OSError.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(mode)
        if path.exists():
            make_like(Path(name), path)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make_like(file: Path, other: Path) -> None:
    """Give a file the permissions of another, and its owner where we may give files away."""
    known = other.stat()
    with suppress(PermissionError):
        os.chown(file, known.st_uid, known.st_gid)
    file.chmod(known.st_mode & 0o777)
