"""Which model a box runs: the one of its settings, or one chosen since (``gridwatch model use``).

What was chosen stands in a file of the data folder, so that it outlasts a restart. A daemon that
runs reads it every two seconds, loads and warms up the model beside the one that works, and changes
over between two batches; one that can't be used is left with a reason, and the old one goes on.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.detect import fastest
from pipeline.errors import ModelError
from pipeline.town import write_atomically

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.detect import Detector
    from pipeline.settings import Settings

POLL_S = 2.0
"""How often the choice is read."""

log = structlog.get_logger(__name__)


class Choice(BaseModel):
    """A model file, and what it held when it was chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    sha256: str


def choose(data_dir: Path, model: Path | None) -> None:
    """Have the daemon of this data folder run this model, or that of its settings for None."""
    file = _file(data_dir)
    if model is None:
        file.unlink(missing_ok=True)
        return
    choice = Choice(path=str(model.resolve()), sha256=_sha256(model))
    data_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(file, choice.model_dump_json(indent=2).encode())


def chosen(settings: Settings) -> Settings:
    """The settings with the model that was chosen, if one was.

    Raises ModelError when it is not there any more, or another file stands in its place.
    """
    file = _file(settings.data_dir)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return settings
    except OSError as error:
        raise ModelError("cannot be read", file=file, found=error.strerror) from None
    try:
        choice = Choice.model_validate(json.loads(content))
    except ValidationError as error:
        raise ModelError.from_validation(error, file=file, known=Choice.model_fields) from None
    except ValueError as error:
        raise ModelError("is no choice of a model", file=file, found=error) from None
    path = settings.data_dir / choice.path  # an absolute path stays what it is
    if not path.is_file():
        raise ModelError(
            "the model that was chosen is gone; choose again with gridwatch model use",
            file=file,
            where="path",
            found=choice.path,
        )
    if _sha256(path) != choice.sha256:
        raise ModelError(
            "is not the model any more that was chosen; choose it again with gridwatch model use",
            file=path,
            where="sha256",
            found=_sha256(path),
            allowed=choice.sha256,
        )
    return settings.model_copy(update={"model": settings.model.model_copy(update={"path": path})})


def begin_with(settings: Settings) -> Detector:
    """The detector that a daemon starts with: the chosen one, or that of the settings.

    Raises ModelError when that of the settings can't be used either.
    """
    try:
        return fastest(chosen(settings).model)
    except ModelError as error:
        if not _file(settings.data_dir).exists():
            raise
        _tell_refused(str(error), "the one of the settings")
        return fastest(settings.model)


def check_fits(new: Detector, now: tuple[int, int], path: Path) -> None:
    """Raise ModelError when pictures of the size at work don't fit this model."""
    if new.size != now:
        raise ModelError(
            "has another input than the model at work: set model.path and start again",
            file=path,
            where="input",
            found="{}x{}".format(*new.size),
            allowed="{}x{}".format(*now),
        )


class ModelWatch:
    """Follows the choice; ``run`` in a thread, or ``poll`` by hand.

    ``problem`` says why what was chosen is not in force; empty while it is.
    """

    def __init__(
        self,
        settings: Settings,
        detector: Detector,
        apply: Callable[[Detector], None],
        *,
        clock: Clock,
    ) -> None:
        """``detector`` is at work now; ``apply`` puts another one in force."""
        self.problem = ""
        self._settings = settings
        self._size = detector.size
        self._sha256 = detector.card.sha256
        self._apply = apply
        self._clock = clock
        self._judged = b""  # a choice that the daemon could not begin with is told as well

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set."""
        while not self._clock.sleep(POLL_S, until=stop):
            self.poll()

    def poll(self) -> None:
        """Look at the choice once. Raises only what ``apply`` raises."""
        content = self._content()
        if content == self._judged:
            return
        self._judged = content
        try:
            settings = chosen(self._settings)
            detector = fastest(settings.model)
            check_fits(detector, self._size, settings.model.path)
        except ModelError as error:
            self.problem = str(error)
            _tell_refused(self.problem, "the one before")
            return
        self.problem = ""
        if detector.card.sha256 != self._sha256:
            self._apply(detector)
            self._sha256 = detector.card.sha256
            log.info("model_changed", model=detector.card.label, provider=detector.provider)

    def _content(self) -> bytes:
        try:
            return _file(self._settings.data_dir).read_bytes()
        except OSError:
            return b""


def _tell_refused(why: str, in_force: str) -> None:
    log.error("model_refused", why=why, in_force=in_force)


def _file(data_dir: Path) -> Path:
    return data_dir / "model.json"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
