"""Puts a training of the street network together: data, start weights, pasting, loop."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pipeline.errors import DataError

from . import network
from .cameras import hold_out
from .card import note_run
from .classes import NAMES, TRAFFIC
from .folders import read_folder
from .loop import HAZARDS_RATE, RATE, Plan, Training, save
from .mixing import for_training, read_held_out
from .paste import Paster
from .pictures import Sampler, read_picture
from .teacher import Teacher, pseudo_label
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .folders import Picture

    Track = Callable[[str, Iterable[Picture]], Iterable[Picture]]


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for. ``size``: width and height of the input, multiples of 32.

    ``held_out``: file with names of pictures never to train on; without it the cameras that
    ``score`` keeps for itself. ``sprites``: folder of rendered things to be laid on real roads.
    """

    plan: Plan
    data: tuple[Path, ...]
    held_out: Path | None
    start: Path
    size: tuple[int, int]
    device: torch.device
    resume: bool
    sprites: Path | None


def prepare(job: Job, say: Callable[[str], None], track: Track) -> tuple[Training, Sampler, Watch]:
    """Everything up to the first step; every mistake in what was given shows here, as DataError.

    ``track`` wraps a loop over pictures to show how far it is.
    """
    left = (job.plan.out / "last.pt").exists()
    if left and not job.resume:
        raise DataError(
            "holds a training already", file=job.plan.out, allowed="--resume or another folder"
        )
    if job.resume and not left:
        raise DataError("there is nothing to resume", file=job.plan.out / "last.pt")
    started = _start(job)
    folders = [read_folder(root) for root in job.data]
    pictures = [picture for folder in folders for picture in folder]
    if job.held_out:
        held_out = read_held_out(job.held_out, pictures)
    else:
        held_out = frozenset(name for folder in folders for name in hold_out(folder))
    shown = for_training(pictures, held_out)
    if not shown:
        raise DataError("leave no picture to train on", file=", ".join(map(str, job.data)))
    for picture in track("check pictures", shown):
        read_picture(picture.path)
    if any(picture.unlabelled & set(TRAFFIC) for picture in shown):
        teacher = Teacher(job.plan.teacher, job.device)
        shown = [pseudo_label(picture, teacher) for picture in track("label traffic", shown)]
    say(f"{len(shown)} pictures to train on, {len(pictures) - len(shown)} kept from it")
    sampler = Sampler(shown, job.size, job.plan.seed, _paster(shown, job.sprites, say))
    counts = Counter(picture.source for picture in shown)
    note_run(job.plan.out, _told(job), counts, [job.start])
    training = Training(job.plan, started, job.device, _summary(shown), say)
    if job.resume:
        training.resume()
    unseen = [one for one in pictures if one.split == "val" or one.name in held_out]
    return training, sampler, Watch(unseen, job.size)


def set_up(device: str, threads: int) -> torch.device:
    """The device by its name, ``auto`` for the GPU if there is one.

    Threads of the CPU wait for each other without sleeping: with other work on the machine,
    fewer ``threads`` are faster by a multiple.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        found = f"{device}: {str(error).splitlines()[0]}"
        raise DataError("device can't be used", found=found, allowed="auto, cpu, cuda") from None
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = True
    return chosen


def _start(job: Job) -> network.StreetNet:
    """The network before the first step, kept beside the training to average with."""
    started = network.start(network.read_weights(job.start))
    path = job.plan.out / "start.pt"
    if not path.exists():
        save({"names": NAMES, "ema": started.state_dict()}, path)
    return started


def _paster(
    pictures: list[Picture], sprites: Path | None, say: Callable[[str], None]
) -> Paster | None:
    say("cut holes and vehicles to lay on roads (20 s)")
    try:
        return Paster.cut(pictures, sprites)
    except ValueError as error:
        say(f"nothing is laid on roads: {error}")
        return None


def _told(job: Job) -> str:
    """The training in a line, for the card."""
    plan, (width, height) = job.plan, job.size
    length = f"{plan.steps} steps" if plan.steps else f"{plan.minutes:g} minutes"
    return (
        f"{length} at {width}x{height} on {job.device.type} from {job.start.stem}, batch "
        f"{plan.batch}, AdamW {RATE:g} (hazard head {HAZARDS_RATE:g}) cosine, moving average of "
        f"weights, traffic taught by {plan.teacher.stem} and by labels of what it misses, hazards "
        "and decoys laid on real roads"
    )


def _summary(pictures: list[Picture]) -> str:
    """Number and fingerprint of pictures with their labels."""
    digest = hashlib.sha256()
    for one in pictures:
        digest.update(f"{one.path}\n".encode() + one.boxes.tobytes() + one.classes.tobytes())
    return f"{len(pictures)} pictures ({digest.hexdigest()[:12]})"
