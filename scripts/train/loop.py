"""The training loop of the street network: planned, watched, saved, resumed.

A training lives in a folder: ``last.pt`` (everything a resume needs; ``ema`` in it is the network
to use), ``start.pt`` (the network before the first step) and ``log.jsonl`` (losses over steps).
"""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from ultralytics.utils.torch_utils import ModelEMA

from pipeline.clock import SystemClock
from pipeline.errors import DataError

from . import network
from .batches import batches
from .classes import NAMES
from .losses import StreetLoss
from .teacher import Teacher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .batches import Batch
    from .pictures import Sampler

# Hazards are new: their head learns sooner and faster than what COCO has taught already.
RATE, HAZARDS_RATE, LAST_RATE = 4e-4, 1e-3, 0.02
RATES = (RATE, RATE, HAZARDS_RATE, HAZARDS_RATE)
WARM_UPS = (500, 500, 40, 40)
DECAY, CLIP = 0.02, 10.0
EMA_DECAY, EMA_STEPS = 0.998, 200
SAVE_EVERY_S, WATCH_EVERY_S, LOG_EVERY = 180.0, 900.0, 10


@dataclass(frozen=True, slots=True)
class Plan:
    """Ends after ``steps`` or after ``minutes`` of training, resumed ones included."""

    out: Path
    teacher: Path
    steps: int | None
    minutes: float | None
    batch: int
    seed: int

    def progress(self, step: int, trained_s: float) -> float:
        """0 at the start, 1 at the end."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return trained_s / (60 * self.minutes)


@dataclass(frozen=True, slots=True)
class State:
    """How far a training is."""

    step: int = 0
    trained_s: float = 0.0
    samples: int = 0
    data: str = ""


class Training:
    """One training from its start or from where it was left.

    Samples depend on their number alone, so a resumed training goes on with those that would
    have come; only those made ahead at the end of the mosaics may differ.
    """

    def __init__(
        self,
        plan: Plan,
        student: network.StreetNet,
        device: torch.device,
        data: str,
        say: Callable[[str], None],
    ) -> None:
        """``data`` describes the data, so that a resumed training can say that they changed."""
        self.plan, self._device, self._say = plan, device, say
        # In eval mode, that is with the statistics of batch norm that the start weights have: those
        # of small mixed batches are others, and people are forgotten while weights follow them.
        self._student = student.to(device, memory_format=torch.channels_last).eval()
        self._ema = ModelEMA(self._student, decay=EMA_DECAY, tau=EMA_STEPS)
        self._optimizer = torch.optim.AdamW(_groups(self._student), lr=RATE)
        self._loss = StreetLoss(device)
        self._teacher = Teacher(plan.teacher, device)
        self._clock = SystemClock()
        self.state = State(data=data)

    def resume(self) -> None:
        """Go on from ``last.pt`` of the plan's folder. Raises DataError."""
        path = self.plan.out / "last.pt"
        content = network.read_checkpoint(path)
        try:
            self._student.load_state_dict(content["network"])
            self._ema.ema.load_state_dict(content["ema"])
            self._ema.updates = content["ema_updates"]
            self._optimizer.load_state_dict(content["optimizer"])
            left = State(**content["state"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            problem = "is not a checkpoint of this training"
            raise DataError(problem, file=path, found=str(error)[:200]) from None
        if left.data != self.state.data:
            self._say(f"the data changed: before {left.data}; now {self.state.data}")
        self.state = replace(left, data=self.state.data)
        self._say(f"resumed at step {left.step}, {left.trained_s / 60:.1f} minutes trained")

    def run(
        self,
        sampler: Sampler,
        show: Callable[[dict[str, float]], None],
        watch: Callable[[Any], dict[str, float]],
    ) -> bool:
        """Train to the planned end, or until asked to stop; True if the end was reached.

        ``show`` gets step, progress, losses and speed after every step; ``watch`` gets the
        network at the beginning, now and then, and at the end, and says how well it does.
        """
        if self.state.step == 0:
            self._check(watch)
        done = multiprocessing.Value("d", self._progress())
        last_save = last_watch = begun = self._clock.monotonic()
        before = self.state.trained_s
        with _stop_signals() as stopped:
            stream = batches(sampler, self.plan.batch, self.state.samples, done, self._device)
            while self._progress() < 1 and not stopped:
                facts = self._step(stream)
                now = self._clock.monotonic()
                self.state = replace(self.state, trained_s=before + now - begun)
                done.value = facts["progress"] = self._progress()
                if self.state.step % LOG_EVERY == 0:
                    self._log(facts)
                show(facts)
                if now - last_save >= SAVE_EVERY_S:
                    self.save()
                    last_save = self._clock.monotonic()
                if now - last_watch >= WATCH_EVERY_S and not stopped:
                    self._check(watch)
                    last_watch = self._clock.monotonic()
        self.save()
        if not stopped:
            self._check(watch)
        return not stopped

    def save(self) -> None:
        """Write ``last.pt``; the one before stays whole until the new one is. Raises DataError."""
        content = {
            "names": NAMES,
            "ema": self._ema.ema.state_dict(),
            "network": self._student.state_dict(),
            "ema_updates": self._ema.updates,
            "optimizer": self._optimizer.state_dict(),
            "state": {name: getattr(self.state, name) for name in State.__dataclass_fields__},
        }
        save(content, self.plan.out / "last.pt")

    def _progress(self) -> float:
        return min(1.0, self.plan.progress(self.state.step, self.state.trained_s))

    def _step(self, stream: Iterator[Batch]) -> dict[str, float]:
        begun = self._clock.monotonic()
        batch = next(stream)
        loaded = self._clock.monotonic()
        step, fade = self.state.step + 1, _fade(self._progress())
        groups = zip(self._optimizer.param_groups, RATES, WARM_UPS, strict=True)
        for group, base, warm_up in groups:
            group["lr"] = base * fade * min(1.0, step / warm_up)
        with torch.autocast(self._device.type, torch.bfloat16):
            taught = self._teacher.teach(batch.pictures, batch.labels)
            parts = self._loss(self._student, batch.pictures, batch.labels, taught)
        loss = torch.stack(list(parts.values())).sum()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        slope = nn.utils.clip_grad_norm_(self._student.parameters(), CLIP)
        if not torch.isfinite(slope):
            self._say(f"step {self.state.step}: the loss is not finite; the step is left out")
        else:
            self._optimizer.step()
            self._ema.update(self._student)
        samples = len(batch.pictures)
        self.state = replace(
            self.state, step=self.state.step + 1, samples=self.state.samples + samples
        )
        took = self._clock.monotonic() - begun
        facts = {name: float(value.detach()) for name, value in parts.items()}
        return facts | {
            "step": self.state.step,
            "loss": float(loss.detach()),
            "slope": float(slope),
            "fade": fade,
            "pictures_per_s": samples / took,
            "waited": (loaded - begun) / took,
        }

    def _check(self, watch: Callable[[Any], dict[str, float]]) -> None:
        if found := watch(self._ema.ema):
            said = "  ".join(f"{name} {value:.3f}" for name, value in found.items())
            self._say(f"step {self.state.step}: AP50 of a few pictures: {said}")
            self._log({"step": self.state.step} | {f"AP50 {name}": found[name] for name in found})

    def _log(self, facts: dict[str, float]) -> None:
        line = {name: float(f"{value:.5g}") for name, value in facts.items()}
        line["trained_s"] = round(self.state.trained_s, 1)
        with _writing(self.plan.out / "log.jsonl") as path, path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def save(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint in one go. Raises DataError if there is no room."""
    with _writing(path):
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _groups(student: network.StreetNet) -> list[dict[str, Any]]:
    """Kernels decay, biases and norms don't; the hazard head has its own rate: see RATES."""
    groups: list[list[nn.Parameter]] = [[], [], [], []]
    of_hazards = {id(value) for value in student.hazards.parameters()}
    for value in student.parameters():
        value.requires_grad_(True)
        groups[2 * (id(value) in of_hazards) + (value.ndim <= 1)].append(value)
    return [
        {"params": group, "weight_decay": 0.0 if number % 2 else DECAY}
        for number, group in enumerate(groups)
    ]


def _fade(progress: float) -> float:
    """Part of the full learning rate: a cosine down to LAST_RATE."""
    return LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * progress)) / 2


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except (OSError, RuntimeError) as error:  # torch says a full disk by RuntimeError
        raise DataError("can't be written", file=path, found=error) from None


@contextlib.contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that a first SIGINT or SIGTERM fills, so that the step ends; a second one kills."""
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _frame: object) -> None:
        caught.append(number)
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
