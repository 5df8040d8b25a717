"""What really happened in the clips: truth.jsonl."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import TruthError
from pipeline.hazards import Hazard

if TYPE_CHECKING:
    from pathlib import Path

_Unit = Annotated[float, Field(ge=0, le=1)]


class TruthEvent(BaseModel):
    """One line: a hazard from ``start_s`` to ``end_s`` (null: the end of the clip).

    ``box`` in 0..1 of the picture; ``lon`` and ``lat`` in WGS-84.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    camera_id: str
    hazard: Hazard
    start_s: Annotated[float, Field(ge=0)]
    end_s: float | None
    box: tuple[_Unit, _Unit, _Unit, _Unit] | None
    lon: Annotated[float, Field(ge=-180, le=180)] | None
    lat: Annotated[float, Field(ge=-90, le=90)] | None

    @model_validator(mode="after")
    def _in_order(self) -> TruthEvent:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError("end_s must be later than start_s")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("box must be x1 < x2, y1 < y2")
        if (self.lon is None) != (self.lat is None):
            raise ValueError("lon and lat must both be given or both be null")
        return self


def load_truth(path: Path) -> list[TruthEvent]:
    """Read truth.jsonl; TruthError names file, line, field, what was found and what is allowed."""
    try:
        # Not splitlines(): names may contain what Unicode calls a line end.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError("cannot be read", file=path, found=error) from None
    return [_event(path, at, line) for at, line in enumerate(lines, 1) if line.strip()]


def _event(path: Path, at: int, line: str) -> TruthEvent:
    try:
        return TruthEvent.model_validate(json.loads(line))
    except ValidationError as error:
        raise TruthError.from_validation(
            error, file=path, where=f"line {at}", known=TruthEvent.model_fields
        ) from None
    except ValueError as error:
        raise TruthError(
            "is not JSON",
            file=path,
            where=f"line {at}",
            found=error,
            allowed="an object a line",
        ) from None
