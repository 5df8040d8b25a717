"""Logs: one line an event, for people on a terminal and as JSON for machines, without credentials.

Every text of every event passes ``masked`` before it is printed, whoever wrote it: our own events,
those of libraries, and the tracebacks of what nobody caught.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.town import masked_url

if TYPE_CHECKING:
    from structlog.typing import EventDict

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
# user:password@host where the scheme was left out.
_LOGIN = re.compile(r"[^\s:@/'\"]{1,64}:(?!//)[^\s]{1,256}@(?=[\w\[])")
_NAMES = r"password|passwd|passphrase|pwd|secret|token|api_?key|credentials?|(?<![a-z])pass"
_NAMED = re.compile(
    rf"""((?:{_NAMES}|密码|口令)["']?\s*[=:：]\s*)("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\S+)""",
    re.IGNORECASE,
)
_HEADER = re.compile(r"(authorization[\"']?\s*[=:]\s*).*", re.IGNORECASE)
_SECRET_KEY = re.compile(rf"(?:{_NAMES}|authorization)$", re.IGNORECASE)
_HIDDEN = "***"
_DEEPEST = 6
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


def set_up_logs(*, json_lines: bool | None = None) -> None:
    """Log to stderr; JSON unless stderr is a terminal, or as ``json_lines`` says.

    Warnings of libraries and the end of a thread by an exception are logged the same way.
    """
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    shown: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_credentials,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Asked for at every line: stderr may be another one by then.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not any(isinstance(handler, _Libraries) for handler in root.handlers):
        root.addHandler(_Libraries(logging.WARNING))
    # Only where nobody else watches for it, as test runners do.
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_ended


def log_crash(error: BaseException) -> None:
    """Log what nobody was prepared for, traceback included, credentials not."""
    structlog.get_logger().critical("crashed", exc_info=error)


def mask_credentials(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: no text of the event shows a password, whatever it came with."""
    return {key: _masked_value(key, value, 0) for key, value in event.items()}


def masked(text: str) -> str:
    """The text without what may be a credential; rather too little is left than too much.

    Hidden are user and password of URLs and the values of their queries, ``user:password@host``,
    and what follows ``password=``, ``token:`` and the like, up to the next space or the
    closing quote.
    """
    once = _masked_once(text)
    while once != text:  # what was hidden may have stood between other parts of a secret
        text, once = once, _masked_once(once)
    return once


def _masked_once(text: str) -> str:
    if "@" in text:  # first: a password may look like a URL
        text = _LOGIN.sub(f"{_HIDDEN}@", text)
    if "://" in text:
        text = _URL.sub(lambda found: masked_url(found[0]), text)
    text = _HEADER.sub(rf"\1{_HIDDEN}", text)
    return _NAMED.sub(rf"\1{_HIDDEN}", text)


def _masked_value(key: object, value: Any, depth: int) -> Any:
    if isinstance(key, str) and _SECRET_KEY.search(key) and value:
        return _HIDDEN
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return masked(value)
        case Mapping() if depth < _DEEPEST:
            return {
                masked(name) if isinstance(name, str) else name: _masked_value(
                    name, inner, depth + 1
                )
                for name, inner in value.items()
            }
        case Sequence() | AbstractSet() if depth < _DEEPEST and not isinstance(
            value, bytes | bytearray
        ):
            return [_masked_value(None, inner, depth + 1) for inner in value]
    # What the renderer would print by its repr: masked, it must be a text already.
    return masked(str(value) if isinstance(value, BaseException) else repr(value))


class _Libraries(logging.Handler):
    """What libraries say through ``logging`` becomes an event like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = max((one for one in _LEVELS if one <= record.levelno), default=logging.INFO)
            structlog.get_logger().log(
                level, record.getMessage(), logger=record.name, exc_info=record.exc_info
            )
        except Exception:  # noqa: BLE001 - as every handler: a line that can't be told ends nothing
            self.handleError(record)


def _thread_ended(what: threading.ExceptHookArgs) -> None:
    if what.exc_value is not None and not isinstance(what.exc_value, SystemExit):
        name = what.thread.name if what.thread is not None else None
        structlog.get_logger().critical("thread_ended", thread=name, exc_info=what.exc_value)
