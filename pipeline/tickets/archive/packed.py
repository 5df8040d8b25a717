"""A ticket as it stood in Redis, part by part, and as rows of the archive. Nothing is dropped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.tickets.archive.tables import cell_of, key_of
from pipeline.tickets.codec import dump

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Part = tuple[str, tuple[str, ...]]
"""Redis type (``hash``, ``list``, ``set``) and content; a hash as name, value, name, value."""

_OWN_ROWS = ("", "incidents", "evidence", "steps")


@dataclass(frozen=True, slots=True)
class Packed:
    """``parts``: by the last part of their key, the ticket's own hash by an empty name.

    ``take`` numbers the snapshots of a desk; ``digest`` is the desk's over all parts.
    """

    ticket_id: str
    take: int
    digest: str
    parts: Mapping[str, Part] = field(repr=False)

    @classmethod
    def from_snapshot(cls, ticket_id: str, take: int, digest: str, text: str) -> Packed:
        """What the script ``archive_take`` answers."""
        parts = {name: (kind, tuple(content)) for name, kind, content in json.loads(text)}
        return cls(ticket_id, take, digest, parts)

    @property
    def key(self) -> int:
        return key_of(self.ticket_id)

    def hash(self, name: str) -> dict[str, str]:
        """A part that is a hash; empty where there is none."""
        _, flat = self.parts.get(name, ("hash", ()))
        return dict(zip(flat[::2], flat[1::2], strict=True))

    @property
    def fields(self) -> dict[str, str]:
        return self.hash("")

    @property
    def steps(self) -> tuple[str, ...]:
        """JSON, oldest first."""
        return self.parts.get("steps", ("list", ()))[1]

    @property
    def quiet_since(self) -> float:
        """The last moment at which anything was heard of it (Unix seconds)."""
        incidents = self.hash("incidents").values()
        return max([self.closed_at, *map(_last_heard, map(json.loads, incidents))])

    @property
    def closed_at(self) -> float:
        closed = self.fields.get("closed_at")
        if closed is not None:
            return float(closed)
        return max((float(json.loads(step)["at"]) for step in self.steps), default=0.0)

    def flat(self) -> list[list[Any]]:
        """What the script ``archive_restore`` takes."""
        return [[name, kind, list(content)] for name, (kind, content) in self.parts.items()]

    def ticket_row(self) -> dict[str, Any]:
        fields = self.fields
        steps = [json.loads(step) for step in self.steps]
        lon, lat = float(fields["lon"]), float(fields["lat"])
        rest = [part for part in self.flat() if part[0] not in _OWN_ROWS]
        return {
            "key": self.key,
            "ticket_id": self.ticket_id,
            "take": self.take,
            "digest": self.digest,
            "hazard": fields["hazard"],
            "state": fields["state"],
            "grid": fields["grid"],
            "department": json.loads(fields["duty"])["department"],
            "severity": fields["severity"],
            "opened_at": float(steps[0]["at"] if steps else fields["filed_at"]),
            "closed_at": self.closed_at,
            "lon": lon,
            "lat": lat,
            "cell": cell_of(lon, lat),
            "address": json.loads(fields["ground"])["address"],
            "reason": "\n".join(dict.fromkeys(step["note"] for step in steps if step["note"])),
            "fields": dump(fields),
            "rest": dump(rest),
        }

    def step_rows(self) -> list[dict[str, Any]]:
        rows = []
        for number, text in enumerate(self.steps, start=1):
            step = json.loads(text)
            known = {name: step[name] for name in ("at", "action", "state", "by")}
            rows.append({"key": self.key, "number": number, **known, "content": text})
        return rows

    def incident_rows(self) -> list[dict[str, Any]]:
        return [
            {"key": self.key, "incident_id": name, "content": text}
            for name, text in self.hash("incidents").items()
        ]

    def evidence_rows(self) -> list[dict[str, Any]]:
        return [
            {"key": self.key, "name": name, "content": text}
            for name, text in self.hash("evidence").items()
        ]


def packed_from_rows(
    row: Any,
    steps: Sequence[str],
    incidents: Mapping[str, str],
    evidence: Mapping[str, str],
) -> Packed:
    """The ticket that the rows were made of. ``row``: of the table ``tickets``."""
    parts: dict[str, Part] = {"": ("hash", _flat(json.loads(row.fields)))}
    if incidents:
        parts["incidents"] = ("hash", _flat(incidents))
    if evidence:
        parts["evidence"] = ("hash", _flat(evidence))
    if steps:
        parts["steps"] = ("list", tuple(steps))
    for name, kind, content in json.loads(row.rest):
        parts[name] = (kind, tuple(content))
    return Packed(row.ticket_id, row.take, row.digest, parts)


def _last_heard(found: dict[str, Any]) -> float:
    """Of an incident when it was last seen, of a report when it was made."""
    return float(found["last_seen_at"] if "last_seen_at" in found else found["reported_at"])


def _flat(pairs: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(text for pair in pairs.items() for text in pair)
