"""One line of a benchmark: what was measured, the floor from the same run, and their ratio."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """``floor`` is what a minimal program needed for the same job in the same run.

    ``target`` is the largest ratio (``of_ratio``) or figure that we call good, ``at_least`` the
    smallest; None: only shown.
    """

    name: str
    figure: float
    floor: float | None
    unit: str
    means: str
    target: float | None = None
    of_ratio: bool = True
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        return None if not self.floor else self.figure / self.floor

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        value = self.ratio if self.of_ratio else self.figure
        if self.target is None or value is None:
            return None
        return value >= self.target if self.at_least else value <= self.target

    def row(self) -> dict[str, object]:
        """For --json."""
        return {
            "name": self.name,
            "figure": self.figure,
            "floor": self.floor,
            "ratio": self.ratio,
            "unit": self.unit,
            "target": self.target,
            "met": self.met,
            "means": self.means,
        }
