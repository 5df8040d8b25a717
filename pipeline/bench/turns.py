"""Two ways to do the same, timed in turns: what else the machine does weighs on both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.clock import Clock


_PAUSE_S = 0.05


def turns(
    ours: Callable[[], Any], theirs: Callable[[], Any], *, rounds: int, clock: Clock
) -> tuple[list[float], list[float]]:
    """Seconds of each turn of both, after one that doesn't count."""
    # Threads of onnxruntime go on spinning for a while: they would burn the other one's cores.
    took: tuple[list[float], list[float]] = [], []
    for number in range(rounds + 1):
        for times, run in zip(took, (ours, theirs), strict=True):
            began_s = time.perf_counter()
            run()
            if number:
                times.append(time.perf_counter() - began_s)
            clock.sleep(_PAUSE_S)
    return took
