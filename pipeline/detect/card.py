"""The model card: what a model file is, what it was trained on, how well it does."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "cavity", "crash")
"""Classes that the hazard rules are made for: a model without one of them would miss hazards in
silence, so it is refused."""

FURTHER_CLASSES = ("debris", "fallen_tree", "barrier", "water")
"""Classes a model may have beyond these; any other name is taken for a slip of the pen."""

VEHICLES = ("car", "motorcycle", "bus", "truck")

_Side = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelInput(_Part):
    width: _Side
    height: _Side
    format: Literal["i420"]


class TrainingData(_Part):
    name: str
    use: str
    pictures: int = Field(ge=0)
    licence: str


class _Card(_Part):
    """What every model must say about itself. Stands beside ``NAME.onnx`` as ``NAME.json``."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    version: str
    licence: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    architecture: str
    training: str
    training_data: tuple[TrainingData, ...] = Field(min_length=1)
    use_restriction: str
    scores: dict[str, dict[str, float]]
    known_faults: tuple[str, ...]
    precision: Literal["fp32", "int8"] = "fp32"
    speed_ms: dict[str, Annotated[float, Field(gt=0)]] = {}

    @property
    def label(self) -> str:
        """Name, version and the first of the hash, for logs and trails."""
        return f"{self.name}-{self.version}-{self.sha256[:8]}"


class HeadInput(_Part):
    """Pictures are brought to ``longest_side``, but never made larger than ``enlarge`` times."""

    longest_side: _Side
    enlarge: float = Field(ge=1, le=4)
    format: Literal["bgr"]


class HeadCard(_Card):
    """Of a model that counts heads: people per cell of ``cell_px`` pixels, both ways."""

    kind: Literal["heads"]
    input: HeadInput
    cell_px: int = Field(ge=1, le=32)


class ModelCard(_Card):
    """Of a detector."""

    classes: tuple[str, ...] = Field(min_length=1)
    input: ModelInput
    thresholds: dict[str, Annotated[float, Field(gt=0, lt=1)]]

    @model_validator(mode="after")
    def _classes_agree(self) -> ModelCard:
        if set(self.thresholds) != set(self.classes):
            odd = sorted(set(self.thresholds) ^ set(self.classes))
            raise ValueError(f"thresholds and classes differ in {', '.join(odd)}")
        return self


_Kind = TypeVar("_Kind", HeadCard, ModelCard)


def load_card(model: Path) -> ModelCard:
    """Card of the detector ``model``; ModelError if it is missing, wrong or for another file."""
    card = _load(model, ModelCard)
    _check_classes(card, model.with_suffix(".json"))
    return card


def load_head_card(model: Path) -> HeadCard:
    """Card of the head counter ``model``; ModelError as of ``load_card``."""
    return _load(model, HeadCard)


def counts_heads(model: Path) -> bool:
    """True if the card of ``model`` is a head counter's; False also where no card can be read."""
    try:
        values = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and values.get("kind") == "heads"


def _load(model: Path, kind: type[_Kind]) -> _Kind:
    path = model.with_suffix(".json")
    if not model.is_file():
        raise ModelError("model file not found", file=model, allowed="an ONNX file with its card")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ModelError("model card is no object", file=path, found=type(values).__name__)
        card = kind.model_validate(values)
    except FileNotFoundError:
        raise ModelError(
            "model card not found",
            file=path,
            allowed="the card beside the model, as models/street-n.json is",
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise ModelError("model card cannot be read", file=path, found=error) from None
    except ValidationError as error:
        raise ModelError.from_validation(error, file=path, known=kind.model_fields) from None
    found = hashlib.sha256(model.read_bytes()).hexdigest()
    if found != card.sha256:
        raise ModelError(
            "is not the file that its card describes",
            file=model,
            where="sha256",
            found=found,
            allowed=card.sha256,
        )
    return card


def _check_classes(card: ModelCard, path: Path) -> None:
    missing = [name for name in CLASSES if name not in card.classes]
    unknown = [name for name in card.classes if name not in CLASSES + FURTHER_CLASSES]
    if missing or unknown:
        problem = "unknown class" if unknown else "a class is missing"
        raise ModelError(
            problem,
            file=path,
            where="classes",
            found=", ".join(unknown) if unknown else f"no {', '.join(missing)}",
            allowed=f"all of {', '.join(CLASSES)}; also {', '.join(FURTHER_CLASSES)}",
        )
