"""Alarms of tickets as they come due: rung once, by whichever box asks first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.tickets.alarms import ALARMS, Alarm, AlarmName
from pipeline.tickets.codec import dump, number
from pipeline.tickets.transitions import DONE, WAITING, after

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.scripts import Scripts

_ALARMS_AT_ONCE = 200  # a script holds Redis up for as long as it runs


class Bell:
    """Its method is the desk's of the same name."""

    def __init__(self, scripts: Scripts, town: DeskTown, clock: Clock) -> None:
        self._scripts = scripts
        self._town = town
        self._clock = clock

    def tick(self) -> list[Alarm]:
        now = self._clock.now()
        step = {"at": now, "by": "desk", "note": ""}
        call = {
            "now": number(now),
            "most": str(_ALARMS_AT_ONCE),
            "steps": {name: dump(step | {"facts": _facts_of(name)}) for name in ALARMS},
            "done": dict.fromkeys(sorted(DONE), True),
            "waiting": dict.fromkeys(sorted(WAITING), True),
            "escalates": after("escalate"),
            "first_level": self._town.grids.top.code,
        }
        rang: list[Alarm] = []
        while True:
            due, found = self._scripts.run("tick", "letting alarms ring", call)
            rang += [Alarm(ticket_id, name, up == "1") for ticket_id, name, up in found]
            if int(due) < _ALARMS_AT_ONCE:
                return rang


def _facts_of(name: AlarmName) -> dict[str, str]:
    """Which limit, and how much of it is used."""
    limit, _, percent = name.partition("_")
    return {"limit": limit, "used_percent": percent}
