"""What a density map has to get right: one person around every head, none elsewhere.

Bayesian loss with a background (Ma et al., "Bayesian Loss for Crowd Count Estimation with Point
Supervision", ICCV 2019): each cell belongs to heads and background by their likelihoods, and the
people expected for each head must be one. It fixes how many, not on which pixel, so that points
set loosely by hand do no harm.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .network import CELL

SPREAD_PX = 8.0
"""Standard deviation of a head's place; wider heads are scaled down to WIDE_PX first."""
NEAR_PX = 20.0
"""At this distance a cell belongs as much to the background as to the nearest head."""
WIDE_PX = 32.0


def bayesian_loss(density: Tensor, heads: list[Tensor]) -> Tensor:
    """``density`` (N, h, w) people per cell; ``heads`` N of (n, 3) x, y, width in pixels."""
    _, rows, columns = density.shape
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    cells = (torch.stack([x, y], dim=-1).reshape(-1, 2).to(density.device) + 0.5) * CELL
    losses = [_one(d.flatten(), h, cells) for d, h in zip(density, heads, strict=True)]
    return torch.stack(losses).mean()


def _one(people: Tensor, heads: Tensor, cells: Tensor) -> Tensor:
    if not len(heads):
        return people.sum()
    wide = (heads[:, 2:] / WIDE_PX).clamp(min=1)
    away = (torch.cdist(heads[:, :2], cells) / wide).square()  # (n, cells)
    background = NEAR_PX**4 / (away.min(dim=0, keepdim=True).values + 1e-5)
    belongs = (-torch.cat([away, background]) / (2 * SPREAD_PX**2)).softmax(dim=0)
    expected = belongs @ people
    wanted = torch.ones_like(expected)
    wanted[-1] = 0
    return (expected - wanted).abs().sum()
