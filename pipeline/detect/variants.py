"""Which of a model's variants runs: the one named, or the one that is fastest here.

A model may have a variant in 8 bits beside it (``NAME-int8.onnx``), made of the same weights and
checked against it. Whether that is faster depends on the processor, so it is measured at the start.
Replays and scores run the very file that is named: their results must not depend on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pipeline.detect.detector import Detector
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.settings import ModelSettings

CLEARLY = 1.15
"""A variant must be this many times as fast: less may be chance, and costs accuracy."""

log = structlog.get_logger(__name__)


def int8_beside(path: Path) -> Path:
    """Where the variant in 8 bits of a model stands, if there is one."""
    return path.with_name(f"{path.stem}-int8{path.suffix}")


def fastest(settings: ModelSettings) -> Detector:
    """The model named in the settings, or its variant in 8 bits if that is clearly faster here.

    A variant that can't be used, or is one of another model, is left out with a word in the log.
    """
    named = Detector(settings)
    beside = int8_beside(settings.path)
    if not settings.fastest or not beside.is_file():
        return named
    try:
        variant = Detector(settings.model_copy(update={"path": beside}))
        _check_same(named, variant, beside)
    except ModelError as error:
        log.warning("variant_left_out", why=str(error))
        return named
    gain = variant.looks_per_s / named.looks_per_s
    chosen = variant if gain >= CLEARLY else named
    log.info("variant_chosen", model=chosen.card.name, int8_gain=round(gain, 2))
    return chosen


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
