"""Quiet hours by the clock on the wall in China: when they end, if now is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import time

    from pipeline.settings_notify import QuietSettings

_CHINA_S = 8 * 3600.0  # UTC+8 all year round
_DAY_S = 86400.0


def quiet_until(quiet: QuietSettings | None, now: float) -> float | None:
    """Unix seconds at which the quiet hours of ``now`` end; None: it is not one of them."""
    if quiet is None:
        return None
    begins_s, ends_s = _seconds(quiet.begins), _seconds(quiet.ends)
    at_s = (now + _CHINA_S) % _DAY_S
    # As seconds since they last began: then over midnight is no other case.
    length_s, since_s = (ends_s - begins_s) % _DAY_S, (at_s - begins_s) % _DAY_S
    return now + (length_s - since_s) if since_s < length_s else None


def _seconds(of_day: time) -> float:
    return of_day.hour * 3600.0 + of_day.minute * 60.0 + of_day.second
