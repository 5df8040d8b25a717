"""One case at one place for one owner: the values that the desk hands out. They know no Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.tickets.transitions import LEVEL_OF, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.hazards.incident import Hazard, Incident, Severity
    from pipeline.tickets.report import Report
    from pipeline.town.duties import Verify
    from pipeline.town.place import Place

Source = Literal["video", "resident", "staff"]
"""问题来源: a camera (视频智能发现), somebody who lives here, somebody of the staff."""


@dataclass(frozen=True, slots=True)
class EvidenceRef:
    """Pictures and clip of one incident, as POSIX paths relative to ``data_dir/evidence``.

    ``annotated`` carries the hazard's box and a caption, ``plain`` nothing. ``clip`` shows the
    seconds before and after; ``after`` is the picture in which the hazard is gone, ``pair`` the
    place before and after, side by side; each None until there is one. Heads, the windows of
    vehicles and number plates are covered in all of them.
    """

    annotated: str
    plain: str
    clip: str | None = None
    after: str | None = None
    pair: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a ticket's append-only history.

    ``state`` is the ticket's state after the step; ``by`` who took it (``desk`` for the desk
    itself); ``note`` why; ``facts`` what belongs to it (``incident_id``, ``camera_id``, ...);
    ``version`` the ticket's after the step; ``due_at`` the limit that runs from then on (Unix
    seconds), None where none does.
    """

    at: float
    action: str
    state: State
    by: str
    note: str
    facts: Mapping[str, str]
    version: int = 0
    due_at: float | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """One case (案卷), as it stands when it is read.

    ``kind`` is the kind of the hazard where the list of duties knows it (``vehicle``). ``place`` is
    the best of all places reported so far. ``grid_code`` owns the case, ``near_grids``
    are further grids within the place's error radius, ``micro_code`` is an address, not an owner.
    ``source`` is of the finding that opened it, ``sources`` of all, in the order they came.
    ``count`` is how many incidents and reports were merged into it; ``incidents``, ``reports`` and
    ``evidence`` stand in the order in which they were confirmed or reported. ``verify`` is who must
    see that it is gone; ``fed_back_at`` is set while that is being checked. ``emergency``: its duty
    calls for the emergency office. ``detected_at`` is when the finding that opened the case was
    confirmed or reported, ``filed_at`` when the desk took it, ``closed_at`` when it was closed or
    rejected; since ``suspended_at`` its clock stands; at ``remind_at`` four fifths of its handling
    time are used; all times are Unix seconds UTC. ``version`` is raised by every change.
    ``watchers`` are the grids that look on: the place may be theirs. One that was merged holds
    nothing any more; ``merged_into`` carries on. ``map_version`` is the grid map that told the
    owner.
    """

    ticket_id: str
    source: Source
    hazard: Hazard
    kind: str | None
    event_code: str
    name_zh: str
    name_en: str
    department: str
    severity: Severity
    state: State
    place: Place
    address: str
    grid_code: str
    grid_name: str
    near_grids: tuple[str, ...]
    micro_code: str | None
    camera_ids: tuple[str, ...]
    count: int
    detected_at: float
    filed_at: float
    dispatched_at: float | None
    closed_at: float | None
    suspended_at: float | None
    accept_due_at: float
    handle_due_at: float
    remind_at: float
    incidents: tuple[Incident, ...]
    evidence: tuple[EvidenceRef, ...]
    steps: tuple[Step, ...]
    version: int = 0
    watchers: tuple[str, ...] = ()
    merged_into: str | None = None
    map_version: str | None = None
    sources: tuple[Source, ...] = ()
    reports: tuple[Report, ...] = ()
    verify: Verify = "person"
    fed_back_at: float | None = None
    emergency: bool = False

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return LEVEL_OF[self.state] == "open"

    @property
    def cleared_at(self) -> float | None:
        """When the last of its incidents was seen to be gone; None while one still is there.

        None, too, where no camera sees the place, and where somebody reported the hazard later.
        An incident that its camera took up anew, as after a restart of the box, doesn't count:
        nobody looks for it any more, and the later incident says what became of the hazard.
        """
        times = [one.cleared_at for one in self.incidents if not self._taken_up_anew(one)]
        known = [time for time in times if time is not None]
        if not known or len(known) < len(times):
            return None
        cleared_at = max(known)
        return None if any(one.reported_at > cleared_at for one in self.reports) else cleared_at

    def _taken_up_anew(self, incident: Incident) -> bool:
        """Whether the camera has a later incident here that began after it last saw this one."""
        return any(
            other.camera_id == incident.camera_id and other.started_at > incident.last_seen_at
            for other in self.incidents
        )

    @property
    def score(self) -> float:
        """The strongest evidence among its incidents, as a probability; 0 where there is none."""
        return max((incident.score for incident in self.incidents), default=0.0)


@dataclass(frozen=True, slots=True)
class Facts:
    """What commands are worked out from.

    ``by_hand``: a person chose the owner. ``placed`` is False where nobody has said where it is;
    ``address`` is what is known of that.
    """

    ticket_id: str
    version: int
    hazard: Hazard
    place: Place
    grid_code: str
    map_version: str | None
    by_hand: bool
    placed: bool
    address: str


@dataclass(frozen=True, slots=True)
class Filing:
    """What became of a finding: exactly one of ``created``, ``merged`` and ``duplicate`` is true.

    ``duplicate``: this very incident or report had been filed before; nothing changed.
    """

    ticket_id: str
    created: bool
    merged: bool
    duplicate: bool
