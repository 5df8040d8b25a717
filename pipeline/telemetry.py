"""Logs: one line an event, for people on a terminal and as JSON for machines."""

from __future__ import annotations

import sys

import structlog


def set_up_logs(*, json_lines: bool | None = None) -> None:
    """Log to stderr; JSON unless stderr is a terminal, or as ``json_lines`` says."""
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    shown: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        # Asked for at every line: stderr may be another one by then.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
