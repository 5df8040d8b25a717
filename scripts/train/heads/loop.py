"""The training loop: bf16 where it helps, averaged weights, resumes where it was interrupted."""

from __future__ import annotations

import copy
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.data import DataLoader, Dataset

from pipeline.errors import DataError

from .crops import SIZE, mixed, training_crop
from .loss import bayesian_loss
from .network import HeadNet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from .data import HeadPicture

    Pools = Sequence[tuple[float, Sequence[HeadPicture]]]

_SAVE_S = 120.0
_WARM_UP = 60
_SHARES = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """``steps`` of ``batch`` crops; the learning rate falls as a cosine."""

    steps: int = 2400
    batch: int = 16
    rate: float = 4e-4
    decay: float = 1e-4
    workers: int = 1
    seed: int = 0

    def text(self) -> str:
        """For the card."""
        width, height = SIZE
        return (
            f"{self.steps} steps of {self.batch} crops of {width}x{height} px, "
            f"AdamW {self.rate:g} cosine, weights averaged; Bayesian loss with background"
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    """``pictures`` uint8 (N, 3, H, W) RGB; of each its ``heads`` (n, 3), and if that is all."""

    pictures: Tensor
    heads: list[Tensor]
    complete: list[bool]

    def to(self, device: torch.device) -> _Batch:
        heads = [one.to(device) for one in self.heads]
        return _Batch(self.pictures.to(device), heads, self.complete)

    def shares(self, count: int) -> list[_Batch]:
        size = math.ceil(len(self.heads) / count)
        cuts = [slice(at, at + size) for at in range(0, len(self.heads), size)]
        return [_Batch(self.pictures[cut], self.heads[cut], self.complete[cut]) for cut in cuts]


class _Crops(Dataset[Any]):
    """Crop number i is always the same, so that a resumed run sees what it would have seen."""

    def __init__(self, pools: Pools, plan: Plan, first: int) -> None:
        self._pools, self._plan, self._first = pools, plan, first

    def __len__(self) -> int:
        return self._plan.steps * self._plan.batch - self._first

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, bool]:
        rng = np.random.default_rng((self._plan.seed, self._first + index))
        picture, heads, complete = training_crop(mixed(self._pools, rng), rng)
        rgb = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1))
        return torch.from_numpy(rgb), torch.from_numpy(heads.astype(np.float32)), complete


def train(pools: Pools, start: Path, run: Path, plan: Plan) -> Path:
    """Trains, or goes on where ``run``/last.pt stopped. Returns the file of averaged weights.

    Raises DataError when the start is no YOLO26n or a different plan was begun in ``run``.
    """
    run.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = HeadNet()
    net.start_from(start)
    net.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    optimizer = torch.optim.AdamW(_groups(net, plan.decay), lr=plan.rate)
    done = _resume(run / "last.pt", plan, net, average, optimizer)
    loader = DataLoader(
        _Crops(pools, plan, done * plan.batch),
        batch_size=plan.batch,
        num_workers=plan.workers,
        collate_fn=_together,
        prefetch_factor=4 if plan.workers else None,
    )
    saved = time.monotonic()
    net.train()
    threads = ThreadPoolExecutor(_SHARES, initializer=torch.set_num_threads, initargs=(1,))
    with threads, _progress() as progress, (run / "log.csv").open("a", encoding="utf-8") as log:
        task = progress.add_task("heads", total=plan.steps, completed=done)
        for step, batch in enumerate(loader, done):
            for group in optimizer.param_groups:
                group["lr"] = _rate(step, plan)
            loss, error = _step(net, optimizer, batch.to(device), threads)
            _follow(average, net, step)
            log.write(f"{step},{loss:.4f},{error:.4f}\n")
            log.flush()
            progress.update(task, advance=1, description=f"loss {loss:.1f} error {error:.2f}")
            if time.monotonic() - saved > _SAVE_S:
                _save(run / "last.pt", step + 1, plan, net, average, optimizer)
                saved = time.monotonic()
    _save(run / "last.pt", plan.steps, plan, net, average, optimizer)
    torch.save(average.state_dict(), run / "weights.pt")
    return run / "weights.pt"


def _step(
    net: HeadNet, optimizer: torch.optim.Optimizer, batch: _Batch, threads: ThreadPoolExecutor
) -> tuple[float, float]:
    """One update; its loss, and the mean error of the count of a crop.

    On a CPU each of the threads takes a share of the batch through the whole network: on a machine
    with other work that wastes far less than splitting every operation over the cores.
    """
    optimizer.zero_grad(set_to_none=False)
    parts = batch.shares(1 if batch.pictures.is_cuda else _SHARES)
    results = list(threads.map(lambda part: _share(net, part, len(batch.heads)), parts))
    torch.nn.utils.clip_grad_norm_(net.parameters(), 20.0)
    optimizer.step()
    loss, error = np.sum(results, axis=0)
    return float(loss), float(error)


def _share(net: HeadNet, part: _Batch, of: int) -> tuple[float, float]:
    """Adds the gradient of some of a batch of ``of``; their part of its loss and count error."""
    rgb = part.pictures.to(memory_format=torch.channels_last).float() / 255
    with torch.autocast(rgb.device.type, torch.bfloat16):
        density = net(rgb)
    density = density.float()
    loss = bayesian_loss(density, part.heads, part.complete) * (len(part.heads) / of)
    loss.backward()
    counts = torch.tensor([len(one) for one in part.heads], device=density.device)
    error = (density.detach().sum((1, 2)) - counts).abs().sum() / of
    return float(loss.detach()), float(error)


def _groups(net: HeadNet, decay: float) -> list[dict[str, Any]]:
    """Weight decay on kernels alone."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def _rate(step: int, plan: Plan) -> float:
    warm = min(1.0, (step + 1) / _WARM_UP)
    return plan.rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * step / plan.steps)))


@torch.no_grad()
def _follow(average: HeadNet, net: HeadNet, step: int) -> None:
    share = min(0.998, (step + 1) / (step + 20))
    for old, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - share)
        else:
            old.copy_(new)


def _together(crops: list[tuple[Tensor, Tensor, bool]]) -> _Batch:
    pictures, heads, complete = zip(*crops, strict=True)
    return _Batch(torch.stack(pictures), list(heads), list(complete))


def _save(
    path: Path, step: int, plan: Plan, net: HeadNet, average: HeadNet, optimizer: Any
) -> None:
    state = {
        "step": step,
        "plan": asdict(plan),
        "net": net.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    half = path.with_suffix(".part")
    torch.save(state, half)
    half.replace(path)  # an interruption leaves the older file whole


def _resume(path: Path, plan: Plan, net: HeadNet, average: HeadNet, optimizer: Any) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["plan"] != asdict(plan):
        raise DataError(
            "another training was begun here",
            file=path,
            found=state["plan"],
            allowed=f"the same plan ({asdict(plan)}) or an empty folder",
        )
    net.load_state_dict(state["net"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
