"""Names of the desk's keys in Redis, as documented in docs/tickets.md; the scripts use the same."""

from __future__ import annotations

from dataclasses import dataclass

TICKET_PARTS = ("incidents", "evidence", "message", "steps", "commands")
"""Every part of a ticket that has a key of its own: the archive moves just these."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys carry one hash tag, so that a cluster keeps them in one slot."""

    prefix: str

    @property
    def root(self) -> str:
        return f"{{{self.prefix}}}"

    @property
    def tickets(self) -> str:
        """Sorted set of all ticket numbers by time of filing."""
        return f"{self.root}:tickets"

    @property
    def incidents(self) -> str:
        """Hash: incident -> the ticket it went into."""
        return f"{self.root}:incidents"

    @property
    def changes(self) -> str:
        """Channel on which each new step is told: ``TICKET|GRID|STEPS``."""
        return f"{self.root}:changes"

    @property
    def reported(self) -> str:
        """Sorted set of residents' reports by when they were made."""
        return f"{self.root}:reported"

    @property
    def waiting(self) -> str:
        """Hash: grid code -> entries that wait in its queue."""
        return f"{self.root}:waiting"

    @property
    def cameras(self) -> str:
        """Hash: camera_id -> its status and box, as JSON."""
        return f"{self.root}:cameras"

    def camera_history(self, camera_id: str) -> str:
        """Sorted set: ``[since_at, state, why]`` of each change of state, by time."""
        return f"{self.root}:camera_history:{camera_id}"

    @property
    def lists_in_force(self) -> str:
        """Hash: box -> its host, and the SHA-256 of the camera list it works by, as JSON."""
        return f"{self.root}:lists_in_force"

    @property
    def refused_lists(self) -> str:
        """Hash: box -> why it didn't take over its camera list as it stands, as JSON."""
        return f"{self.root}:refused_lists"

    def archive(self, what: str) -> str:
        """``home``: the archive tickets go to; ``lease``: who is at it; two counters.

        ``generation``: how often tickets went; ``takes``: how many snapshots were taken.
        """
        return f"{self.root}:archive:{what}"

    def audit(self, part: str | None = None) -> str:
        """Stream of the audit's newest lines, or its ``head``: number and hash of the newest."""
        return f"{self.root}:audit" + (f":{part}" if part else "")

    @property
    def evidence_held(self) -> str:
        """Hash: tickets whose evidence nobody may delete -> who said so, when and why, as JSON."""
        return f"{self.root}:evidence:held"

    @property
    def coverage_as_of(self) -> str:
        """Up to when boxes have written who was looked at (Unix seconds)."""
        return f"{self.root}:coverage:as_of"

    def coverage(self, day: str, camera_id: str) -> str:
        """String of records: the looks at one camera in one day (``20261123``, UTC)."""
        return f"{self.root}:coverage:{day}:{camera_id}"

    def coverage_written(self, box: str) -> str:
        """The number of the last batch of records that this box has written."""
        return f"{self.root}:coverage:written:{box}"

    def heartbeat(self, box: str) -> str:
        """When this box last told its cameras (Unix seconds); gone days after it went silent."""
        return f"{self.root}:heartbeat:{box}"

    @property
    def events(self) -> str:
        """Stream of what happens to tickets, cameras and boxes; group ``notify``."""
        return f"{self.root}:events"

    def state(self, state: str) -> str:
        """Sorted set of the ticket numbers in this state by time of filing."""
        return f"{self.root}:state:{state}"

    def grid(self, code: str) -> str:
        """Sorted set of the ticket numbers that this grid owns by time of filing."""
        return f"{self.root}:grid:{code}"

    def watch(self, code: str) -> str:
        """Sorted set of the ticket numbers that this grid watches by time of filing."""
        return f"{self.root}:watch:{code}"

    @property
    def filed_maps(self) -> str:
        """Set of the grid map versions that tickets were filed with."""
        return f"{self.root}:filed_maps"

    def map(self, version: str) -> str:
        """Sorted set of the open tickets whose owner this grid map told, by time of filing."""
        return f"{self.root}:map:{version}"

    def places(self, family: str) -> list[str]:
        """Geo indices of the tickets of a family of hazards, open and just done: see common.lua.

        Each holds those whose places are known about as well.
        """
        return [f"{self.root}:place:{family}{part}" for part in ("", ":12", ":40")]

    def queue(self, code: str) -> str:
        """Stream of what waits for this grid."""
        return f"{self.root}:queue:{code}"

    def ticket(self, ticket_id: str, part: str | None = None) -> str:
        """Hash of a ticket, or its ``incidents``, ``evidence`` (hashes) or ``steps`` (list)."""
        return f"{self.root}:ticket:{ticket_id}" + (f":{part}" if part else "")
