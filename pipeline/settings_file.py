"""Settings from a YAML file, the environment and ``--set``, with errors that say what to do.

Precedence, low to high: the defaults in ``settings.py``, the settings file, the environment
(``GRIDWATCH_HAZARDS__BLOCKAGE__CRASH_DWELL_S=4``), ``--set hazards.blockage.crash_dwell_s=4``.
Paths are relative to the settings file. Unknown keys are refused.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as EnvironmentError_

from pipeline.errors import SettingsError
from pipeline.settings import Settings
from pipeline.strict_yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


# Fields whose value is never shown, not even a wrong one.
_SECRET = ("secret", "client_secret", "password", "url")


def load_settings(path: Path | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Settings from a YAML file (or defaults), the environment and ``key=value`` overrides.

    Raises SettingsError that names file, field, what was found and what is allowed.
    """
    values = _read_yaml(path) if path is not None else {}
    origin = {"": str(path) if path is not None else "settings"}
    _merge(values, _environment(), origin, "environment")
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise SettingsError("cannot be read", file="--set", found=text, allowed="key=value")
        parsed = _nested(key.strip().split("."), _scalar(value))
        _merge(values, parsed, origin, f"--set {key.strip()}")
    for key in values:
        # Here, because the library takes some names, such as _env_file, for its own arguments.
        if key not in Settings.model_fields:
            raise _unknown([str(key)], origin)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise _explain(error, origin) from None
    return _absolute(settings, path.parent if path is not None else Path.cwd())


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            "cannot be read", file=path, found=error.strerror, allowed="a YAML file"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError("is not text in UTF-8", file=path, allowed="a YAML file") from None
    try:
        values = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(
            "is not YAML",
            file=path,
            where=None if mark is None else f"line {mark.line + 1}",
            found=getattr(error, "problem", None) or error,
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError("is not a mapping of sections", file=path, found=type(values).__name__)
    return values


def _environment() -> dict[str, Any]:
    """Values of GRIDWATCH_SECTION__FIELD; a section that doesn't exist is refused.

    Names without a field may be somebody else's.
    """
    for name in sorted(os.environ):
        section = name.removeprefix("GRIDWATCH_").partition("__")[0].lower()
        nested = name.startswith("GRIDWATCH_") and "__" in name
        if nested and section not in Settings.model_fields:
            raise _unknown([section], {"": f"environment, {name}"})
    source = EnvSettingsSource(Settings, env_ignore_empty=True)
    try:
        return dict(source())
    except EnvironmentError_ as error:
        raise SettingsError(
            "cannot be read", file="environment", where="GRIDWATCH_*", found=error
        ) from None


def _scalar(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merge(
    into: dict[str, Any], more: Mapping[str, Any], origin: dict[str, str], name: str, path: str = ""
) -> None:
    for key, value in more.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, origin, name, here)
        else:
            into[key] = value
            origin[here] = name


def _explain(error: ValidationError, origin: Mapping[str, str]) -> SettingsError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return _unknown(path, origin)
    return SettingsError(
        "is not allowed",
        file=_source(path, origin),
        where=".".join(path),
        found="a secret" if path[-1].endswith("_key") else _shown(first.get("input"), path),
        allowed=first["msg"],
    )


def _shown(value: Any, path: list[str]) -> str:
    """What was found, without what may be a password, by itself or in a URL."""
    if path[-1] in _SECRET:
        return f"{type(value).__name__}, not shown"
    text = repr(value)
    if "://" in text:
        return "a URL"
    return f"a mapping with {', '.join(map(str, value))}" if _holds_secrets(value) else text


def _holds_secrets(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return any(name in _SECRET or _holds_secrets(one) for name, one in value.items())


def _unknown(path: list[str], origin: Mapping[str, str]) -> SettingsError:
    names = _fields_of(path[:-1])
    near = difflib.get_close_matches(path[-1], names, n=1)
    return SettingsError(
        "unknown setting",
        file=_source(path, origin),
        where=".".join(path),
        allowed=", ".join(names) + (f" (did you mean {near[0]}?)" if near else ""),
    )


def _source(path: list[str], origin: Mapping[str, str]) -> str:
    """Where the value of a field came from: the file, the environment or a --set."""
    field = ".".join(path) + "."
    known = [prefix for prefix in origin if prefix and field.startswith(prefix + ".")]
    return origin[max(known, key=len)] if known else origin[""]


def _fields_of(path: list[str]) -> list[str]:
    model: Any = Settings
    for part in path:
        fields = getattr(model, "model_fields", None)
        # What is named by the user (dict[str, Section]) has no fields, but what it holds has.
        model = get_args(model)[1] if fields is None else fields[part].annotation
    return sorted(model.model_fields)


def _absolute(settings: Settings, base: Path) -> Settings:
    def at(path: Path) -> Path:
        return Path(os.path.abspath(base / path.expanduser()))  # noqa: PTH100 - keeps symlinks

    town, heads, ingest = settings.town, settings.heads.path, settings.ingest
    second = settings.second_look
    ca_file = ingest.tls.ca_file
    notify, smtp = settings.notify, settings.notify.smtp
    if smtp is not None and smtp.ca_file is not None:
        smtp = smtp.model_copy(update={"ca_file": at(smtp.ca_file)})
        notify = notify.model_copy(update={"smtp": smtp})
    evidence = settings.tickets.evidence
    trusted = evidence.store.ca_file
    store = evidence.store.model_copy(update={"ca_file": trusted and at(trusted)})
    console, oidc = settings.console, settings.console.oidc
    if oidc is not None:
        files = {name: getattr(oidc, name) for name in ("ca_file", "client_secret_file")}
        found = {name: file and at(file) for name, file in files.items()}
        console = console.model_copy(update={"oidc": oidc.model_copy(update=found)})
    return settings.model_copy(
        update={
            "console": console,
            "data_dir": at(settings.data_dir),
            "notify": notify,
            "model": settings.model.model_copy(update={"path": at(settings.model.path)}),
            "heads": settings.heads.model_copy(update={"path": heads and at(heads)}),
            "second_look": second.model_copy(update={"model": second.model and at(second.model)}),
            "ingest": ingest.model_copy(
                update={"tls": ingest.tls.model_copy(update={"ca_file": ca_file and at(ca_file)})}
            ),
            "tickets": settings.tickets.model_copy(
                update={"evidence": evidence.model_copy(update={"store": store})}
            ),
            "town": town.model_copy(
                update={
                    **{name: at(getattr(town, name)) for name in ("cameras", "grids", "duties")},
                    "holidays": town.holidays and at(town.holidays),
                }
            ),
        }
    )
