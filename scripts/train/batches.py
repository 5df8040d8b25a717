"""Samples made by workers beside the training, in batches on its device."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline.errors import DataError

from .losses import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pictures import Sample, Sampler

# Mosaics end here, so that the network learns last how whole pictures look.
MOSAIC_UNTIL = 0.85
_ENDLESS = 2**40
_MOST_WORKERS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """``pictures`` float (B, 3, H, W) RGB 0..1 with channels last in memory."""

    pictures: Tensor
    labels: Labels


class _Samples(Dataset[Any]):
    def __init__(self, sampler: Sampler, progress: Any) -> None:
        self._sampler, self._progress = sampler, progress

    def __getitem__(self, number: int) -> Sample | DataError:
        try:
            return self._sampler.sample(number, mosaic=self._progress.value < MOSAIC_UNTIL)
        except DataError as error:  # raised anew in the training: a worker would wrap it
            return error


def batches(
    sampler: Sampler, size: int, first: int, progress: Any, device: torch.device
) -> Iterator[Batch]:
    """Endless batches from sample ``first`` on. ``progress``: shared double, 0..1.

    Raises DataError for a broken picture.
    """
    cores = len(os.sched_getaffinity(0))
    loader = DataLoader(
        _Samples(sampler, progress),
        batch_size=size,
        sampler=range(first, _ENDLESS),
        num_workers=max(1, min(_MOST_WORKERS, cores - 1)),
        collate_fn=_collate,
        worker_init_fn=_begin_worker,
        pin_memory=device.type == "cuda",
        prefetch_factor=3,
    )
    for rgb, index, boxes, classes in loader:
        if isinstance(rgb, DataError):
            raise rgb
        pictures = rgb.to(device, non_blocking=True)
        pictures = pictures.to(memory_format=torch.channels_last).float() / 255
        labels = Labels.pad(index.to(device), boxes.to(device), classes.to(device), len(rgb))
        yield Batch(pictures, labels)


def _collate(samples: list[Sample | DataError]) -> tuple[Any, ...]:
    """Pictures uint8 (B, 3, H, W), and of all boxes (N, 4) and classes (N,) the picture (N,)."""
    for sample in samples:
        if isinstance(sample, DataError):
            return sample, None, None, None
    whole = [sample for sample in samples if not isinstance(sample, DataError)]
    return (
        torch.stack([torch.from_numpy(sample.rgb) for sample in whole]),
        torch.cat([torch.full((len(one.boxes),), i) for i, one in enumerate(whole)]),
        torch.cat([torch.from_numpy(one.boxes) for one in whole]),
        torch.cat([torch.from_numpy(one.classes) for one in whole]),
    )


def _begin_worker(_number: int) -> None:
    """Workers end with the training, not by a signal to all of its group; each has one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(1)
