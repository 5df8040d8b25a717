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
TOTAL = 0.4
"""Weight of the error of a crop's whole count. The errors of single heads alone teach to leave out
whatever is more likely no head, so that crowds are counted too small."""


def bayesian_loss(density: Tensor, heads: list[Tensor], complete: list[bool]) -> Tensor:
    """``density`` (N, h, w) people per cell; ``heads`` N of (n, 3) x, y, width in pixels.

    Where heads may be missing (not ``complete``), people seen in the background cost less and less
    the more there are: a few are a mistake of the network, many are a crowd that nobody marked.
    """
    _, rows, columns = density.shape
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    cells = (torch.stack([x, y], dim=-1).reshape(-1, 2).to(density.device) + 0.5) * CELL
    losses = []
    for one, points, whole in zip(density, heads, complete, strict=True):
        marked, elsewhere = _expected(one.flatten(), points, cells)
        off = (marked - 1).abs().sum()
        if whole:
            total = (one.sum() - len(points)).abs()
            losses.append(off + elsewhere + TOTAL * total)
        else:
            losses.append(off + elsewhere.log1p())
    return torch.stack(losses).mean()


def _expected(people: Tensor, heads: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """How many people there are for each head (n,), and how many for none of them."""
    if not len(heads):
        return people[:0], people.sum()
    wide = (heads[:, 2:] / WIDE_PX).clamp(min=1)
    away = (torch.cdist(heads[:, :2], cells) / wide).square()  # (n, cells)
    background = NEAR_PX**4 / (away.min(dim=0, keepdim=True).values + 1e-5)
    belongs = (-torch.cat([away, background]) / (2 * SPREAD_PX**2)).softmax(dim=0)
    expected = belongs @ people
    return expected[:-1], expected[-1]
