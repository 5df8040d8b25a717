"""Yulong with one camera over one street, its people, and all that stands between them.

What the camera's analyst finds goes through the outbox to the desk, and what happens there through
the notifier to servers of those who are told. Time passes as a test says.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from hazard_street import HEIGHT, NAMES, WIDTH, Street, look, seen
from lxml import etree

from pipeline.clock import ManualClock
from pipeline.console import cards
from pipeline.hazards import Analyst
from pipeline.settings import EvidenceSettings, HazardSettings, Settings, TownSettings
from pipeline.shipped import shipped
from pipeline.tickets import (
    Desk,
    EvidenceStore,
    Feedback,
    Filer,
    Notifier,
    NotifyStore,
    PatientOutbox,
    PictureKeeper,
    Snapshot,
)
from pipeline.tickets.notify import Verifier
from pipeline.town import load_town
from pipeline.town.duties import Duties

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from receivers import Got, HttpReceiver
    from redis import Redis

    from pipeline.tickets import Step, Ticket
    from pipeline.town import Town

EIGHT = 1_795_392_000.0  # Monday 2026-11-23, 08:00 in China
MINUTE, HOUR = 60.0, 3600.0
CAMERA = "YL-0003"
SETTLE_S = 6.0  # after it all messages about a step are there
SECRET = "kept-between-us-two"
HOLE = (140, 110, 170, 125)  # in the painted street
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
TOLD = ("member", "head", "first", "office", "cap", "neighbour")
"""Who is told: the owner's member and head, the first level, the emergency office, its system that
takes CAP documents, and the head of the grid next to it, who has nothing to do with it."""


def yulong() -> Town:
    """The town as it is shipped, but that a camera and a person must see that a hole is gone."""
    files = {
        name: shipped(f"configs/yulong/{file}")
        for name, file in (
            ("cameras", "cameras.csv"), ("grids", "grids.geojson"), ("duties", "duties.yaml")
        )
    }  # fmt: skip
    town = load_town(TownSettings(**files))
    duties = [
        replace(duty, verify="both") if duty.hazard == "road_collapse" else duty
        for duty in town.duties
    ]
    return replace(town, duties=Duties(duties))


@dataclass(frozen=True)
class Message:
    """What one of those who are told got, and when."""

    to: str
    at: float
    title: str
    text: str
    got: Got


@dataclass(frozen=True)
class Happening:
    """Steps of the ticket that were taken together, how it stood then, and who was told of it."""

    steps: Sequence[Step]
    ticket: Ticket
    lamp: cards.Deadline
    messages: Sequence[Message]


class Loop:
    """The town while it deals with one case; use as a context manager."""

    def __init__(self, folder: Path, redis: Redis, receiver: HttpReceiver, prefix: str) -> None:
        self.town, self.clock = yulong(), ManualClock(EIGHT - 30)
        self.camera = self.town.camera(CAMERA)
        self.receiver = receiver
        self._verifier = Verifier([SECRET], clock=self.clock)
        # Two boxes let alarms ring, and each alarm rings once.
        self.desks = [
            Desk(redis, self.town, clock=self.clock, prefix=prefix) for _ in range(2)
        ]  # fmt: skip
        self.desk = self.desks[0]
        self._open = ExitStack()
        evidence = EvidenceSettings(min_free_mb=0)
        self.outbox = self._open.enter_context(PatientOutbox(folder / "o.sqlite", self.clock))
        self.evidence = EvidenceStore(folder, evidence, self.clock)
        self._open.callback(self.evidence.close)
        self._filer = Filer(self.outbox, evidence, folder, store=self.evidence)
        self.feedback = Feedback(self.desk, PictureKeeper(_nobody, self.evidence, evidence))
        self._analyst = Analyst(
            self.camera, HazardSettings(), NAMES, model="street-n", settings_hash="loop"
        )
        self._street = Street()
        here = (self.camera.lon, self.camera.lat)
        self.grid = self.town.grids.owner(here).code  # the hole is a few metres from the pole
        self._notifier = self._open.enter_context(
            Notifier(
                NotifyStore(redis, prefix=prefix),
                self._settings(folder),
                self.town.grids,
                clock=self.clock,
                draw=lambda: 0.0,
            )
        )
        self.messages: list[Message] = []
        self.happenings: list[Happening] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def ticket(self) -> Ticket:
        (ticket,) = self.desk.tickets()
        return ticket

    def watch(self, until: float, *, hole: bool) -> None:
        """The camera looks twice a second, and its analyst judges, as in the daemon."""
        while self.clock.now() < until:
            picture = self._street.luma(*([(HOLE, 40)] if hole else []))
            rows = [("cavity", 0.6, HOLE)] if hole else []
            at = self.clock.now()
            for change in self._analyst.update(look(at, picture, CAMERA), seen(*rows)):
                if change.kind == "confirmed":
                    self._filer.file(change.incident, lambda: _nobody(photo(picture)))  # noqa: B023
                else:
                    self._filer.cleared(change.incident, at)
            self._pass(0.5)

    def still_seen(self, at: float) -> None:
        """A few looks later the hole is there as it was, and the desk hears of it."""
        self.at(at)
        self.watch(at + 2, hole=True)
        for incident in self._analyst.open_incidents():
            self._filer.update(incident)
        self._pass(0)

    def at(self, moment: float) -> None:
        """Nothing happens until then but what happens by itself."""
        assert moment >= self.clock.now(), "time goes on"
        self.clock.move_to(max(self.clock.now(), moment - SETTLE_S))
        self._pass(moment - self.clock.now())

    def note(self) -> None:
        """What happened since the last note, if anything did."""
        self._pass(SETTLE_S)
        before = sum(len(one.steps) for one in self.happenings)
        told = sum(len(one.messages) for one in self.happenings)
        ticket = self.ticket
        steps, messages = ticket.steps[before:], self.messages[told:]
        if steps or messages:
            lamp = cards.deadline(ticket, steps[-1].at, "zh")
            self.happenings.append(Happening(steps, ticket, lamp, messages))

    def _pass(self, seconds: float) -> None:
        """So much time, in which the boxes and the notifier do what is due."""
        end = self.clock.now() + seconds
        while True:
            self.outbox.send(self.desk)
            for desk in self.desks:
                desk.tick()
            self._notifier.round(0)
            self._notifier.settle()
            for got in self.receiver.got[len(self.messages) :]:
                self._verifier.verify(got.headers, got.body)
                self.messages.append(_read(got, self.clock.now()))
            if self.clock.now() >= end:
                return
            self.clock.sleep(min(0.5, end - self.clock.now()))

    def _settings(self, folder: Path) -> Settings:
        neighbour = next(
            grid.code for grid in self.town.grids if grid.level == 3 and grid.code != self.grid
        )
        chosen = {
            "member": {"role": "member", "grids": [self.grid]},
            "head": {"role": "head", "grids": [self.grid]},
            "first": {"role": "command"},
            "office": {"role": "emergency"},
            "cap": {"way": "cap"},
            "neighbour": {"role": "head", "grids": [neighbour]},
        }
        recipients = {
            name: {"way": "webhook", "secret": SECRET, "url": f"{self._base}/{name}"} | chosen[name]
            for name in TOLD
        }
        cap = {"file": False, "sender": "yulong.example"}
        notify = {"allow": ["127.0.0.0/8"], "cap": cap, "recipients": recipients}
        return Settings(
            data_dir=folder, notify=notify, console={"url": "https://grid.yulong.example"}
        )

    @property
    def _base(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}"


def photo(luma: np.ndarray) -> np.ndarray:
    """BGR uint8 (H, W, 3) of a grey picture."""
    return np.repeat(luma[:HEIGHT, :WIDTH, None], 3, axis=2)


def _nobody(picture: np.ndarray) -> Snapshot:
    """A look at a street with nobody in it."""
    return Snapshot(picture, np.zeros((0, 4), np.float32), [])


def _read(got: Got, at: float) -> Message:
    to = got.path.strip("/")
    if to == "cap":
        root = etree.fromstring(got.body)
        kind = root.findtext(f"{CAP}msgType")
        response = root.findtext(f"{CAP}info/{CAP}responseType")
        return Message(to, at, f"CAP {kind}, {response}", got.body.decode(), got)
    body = json.loads(got.body)
    return Message(to, at, body["title"], body["text"], got)
