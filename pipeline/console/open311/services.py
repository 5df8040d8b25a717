"""What may be reported: the town's duties as services, each with a code."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.town import Duties, Duty

GROUPS = {
    "road_collapse": "道路 road",
    "road_damage": "道路 road",
    "blockage": "占道 blockage",
    "crowd": "人群 crowd",
}


class Services:
    """The services on offer, by code: a hazard (``blockage``), or one kind (``blockage.crash``).

    Raises SettingsError for a code on the list that no duty has.
    """

    def __init__(self, duties: Duties, offered: Sequence[str] | None) -> None:
        known = {code_of(duty.hazard, duty.kind): duty for duty in duties}
        for code in offered or ():
            if code not in known:
                near = difflib.get_close_matches(code, known, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise SettingsError(
                    "unknown service",
                    where="open311.services",
                    found=repr(code),
                    allowed=", ".join(known) + hint,
                )
        self._known = known
        self._offered = list(known) if offered is None else list(dict.fromkeys(offered))

    def duty(self, code: str) -> Duty | None:
        """The duty of a service on offer."""
        return self._known[code] if code in self._offered else None

    def name(self, code: str) -> str:
        """What a service is called, also one that is not on offer any more."""
        duty = self._known.get(code)
        return code if duty is None else f"{duty.name_zh} {duty.name_en}"

    def listed(self) -> list[dict[str, Any]]:
        """As GET services answers."""
        return [self._row(code, self._known[code]) for code in self._offered]

    def _row(self, code: str, duty: Duty) -> dict[str, Any]:
        return {
            "service_code": code,
            "service_name": self.name(code),
            "description": f"{duty.name_zh}，责任部门：{duty.department} / {duty.name_en}",
            "metadata": False,
            "type": "realtime",
            "keywords": f"{duty.name_zh},{duty.name_en}",
            "group": GROUPS.get(duty.hazard, duty.hazard),
        }


def code_of(hazard: str, kind: str | None) -> str:
    """The code of a service."""
    return hazard if kind is None else f"{hazard}.{kind}"
