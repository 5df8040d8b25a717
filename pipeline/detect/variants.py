"""Which variant of a model runs, and on what: the fastest here of those that may.

A model may have a variant in 8 bits beside it (``NAME-int8.onnx``), made of the same weights and
checked against it. Whether that is faster depends on the processor, and which provider is fastest
on the hardware and its drivers, so both are measured at the start. Replays and scores run the very
file that is named: their results must not depend on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pipeline.detect.detector import Detector
from pipeline.detect.ladder import ladder, on_gpu
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.detect.ladder import Provider
    from pipeline.settings import ModelSettings

CLEARLY = 1.15
"""A variant must be this many times as fast: less may be chance, and costs accuracy."""

log = structlog.get_logger(__name__)


def int8_beside(path: Path) -> Path:
    """Where the variant in 8 bits of a model stands, if there is one."""
    return path.with_name(f"{path.stem}-int8{path.suffix}")


def fastest(settings: ModelSettings) -> Detector:
    """The model named in the settings, or its variant in 8 bits if that is clearly faster here.

    A provider or variant that can't be used, or a variant that is one of another model, is left
    out with a word in the log. Raises ModelError when the model itself can't be used.
    """
    named = _on_fastest(settings, ladder(settings))
    beside = int8_beside(settings.path)
    if not settings.fastest or not beside.is_file() or on_gpu(named.provider):
        return named  # a GPU's half precision needs no 8 bits
    try:
        on_cpu = [rung for rung in ladder(settings) if not on_gpu(rung)]
        variant = _on_fastest(settings.model_copy(update={"path": beside}), on_cpu)
        _check_same(named, variant, beside)
    except ModelError as error:
        log.warning("variant_left_out", why=str(error))
        return named
    gain = variant.looks_per_s / named.looks_per_s
    chosen, other = (variant, named) if gain >= CLEARLY else (named, variant)
    other.close()
    log.info("variant_chosen", model=chosen.card.name, int8_gain=round(gain, 2))
    return chosen


def _on_fastest(settings: ModelSettings, rungs: Sequence[Provider]) -> Detector:
    """On whichever of these it does most looks in a second; the others come after that."""
    tried: list[Detector] = []
    for rung in rungs:
        try:
            tried.append(Detector(settings, rungs=[rung]))
        except ModelError as error:
            if not tried and rung == rungs[-1]:
                raise
            log.warning("provider_left", provider=rung, why=str(error))
    if len(tried) > 1:
        speeds = {one.provider: round(one.looks_per_s, 1) for one in tried}
        log.info("providers_tried", looks_per_s=speeds)
    *others, best = sorted(tried, key=lambda one: one.looks_per_s)
    for other in others:
        other.close()
    best.falls_back_on(one for one in rungs if one != best.provider)
    return best


def _check_same(named: Detector, variant: Detector, path: Path) -> None:
    """Raise ModelError when the variant isn't made of the same model."""
    for what in ("version", "classes", "input", "thresholds"):
        found, wanted = getattr(variant.card, what), getattr(named.card, what)
        if found != wanted:
            raise ModelError(
                "is no variant of the model beside it",
                file=path.with_suffix(".json"),
                where=what,
                found=found,
                allowed=str(wanted),
            )
