"""Makes what comes after an incident's pictures: the clip, and the pair when the hazard is gone.

In a thread of its own: filing goes on at once, and what is too much is left out, never waited for.
"""

from __future__ import annotations

import heapq
import socket
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import cv2
import numpy as np
import structlog

from pipeline.errors import EvidenceError
from pipeline.ingest import picture_of
from pipeline.tickets.clip import clip_of, half, moments_between
from pipeline.tickets.drawing import jpeg, side_by_side, time_text
from pipeline.tickets.evidence import about, covered
from pipeline.tickets.store import Who, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.ingest import Kept
    from pipeline.settings import EvidenceSettings
    from pipeline.tickets.clip import Moment
    from pipeline.tickets.evidence import Snapshot
    from pipeline.tickets.outbox import Outbox
    from pipeline.tickets.store import EvidenceStore
    from pipeline.tickets.ticket import EvidenceRef

MOST = 16
"""Clips and pairs under way at a time; each holds up to a ring (1 MiB) of compressed pictures."""
_REMEMBERED = 5000  # incidents whose pictures are known, until they clear
_LATE_S = 0.5  # the last key frame is on its way for so long
_IDLE_S = 0.5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Filed:
    """A clip to be made: of the seconds before there is what ``kept`` holds."""

    incident: Incident
    evidence: EvidenceRef
    kept: Sequence[Moment] = ()


@dataclass(frozen=True, slots=True)
class _Cleared:
    """A pair to be made; ``kept``: the picture without the hazard, once it was fetched."""

    incident: Incident
    evidence: EvidenceRef
    seen_at: float
    kept: Kept | None = None


class Filmer:
    """``kept`` gives what a camera's ring holds of a moment, ``look`` what is seen in a picture.

    ``filed`` and ``cleared`` only note down what is to be done and may be called from any thread;
    ``run`` does it, in a thread of its own.
    """

    def __init__(
        self,
        outbox: Outbox,
        store: EvidenceStore,
        settings: EvidenceSettings,
        *,
        kept: Callable[[str, float], Kept | None],
        look: Callable[[NDArray[np.uint8]], Snapshot],
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._store = store
        self._settings = settings
        self._kept = kept
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()  # of what follows
        self._fresh: deque[_Filed | _Cleared] = deque()  # what the ring holds must be fetched first
        self._due: list[tuple[float, int, _Filed | _Cleared]] = []  # when, to be made
        self._numbers = count()
        self._known: OrderedDict[str, EvidenceRef] = OrderedDict()
        self._wake = threading.Event()
        self.left_out = 0
        """Clips and pairs that were not made since the start, for whatever reason."""

    def filed(self, incident: Incident, evidence: EvidenceRef) -> None:
        """Its pictures were kept: make a clip, unless too many are under way."""
        with self._lock:
            self._known[incident.incident_id] = evidence
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        if self._settings.clip_s > 0:
            self._note(_Filed(incident, evidence))

    def cleared(self, incident: Incident, seen_at: float) -> None:
        """The look captured then shows that it is gone: make a pair, if it has pictures."""
        with self._lock:
            evidence = self._known.pop(incident.incident_id, None)
        if evidence is not None:
            self._note(_Cleared(incident, evidence, seen_at))

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Until ``stop`` is set; what isn't made by then is not made. ``beat``: in every round."""
        while not stop.is_set():
            beat()
            if not self.step():
                self._wake.wait(_IDLE_S)
                self._wake.clear()

    def step(self) -> bool:
        """Do the next thing that is due; False where there is none. Never raises."""
        job, fetch = self._next()
        if job is None:
            return False
        try:
            if fetch:
                self._fetch(job)
            elif isinstance(job, _Filed):
                self._film(job)
            else:
                self._pair(job)
        except Exception as error:  # noqa: BLE001 - no clip is worth the daemon
            self._leave_out(job, str(error))
        return True

    def _note(self, job: _Filed | _Cleared) -> None:
        with self._lock:
            full = len(self._fresh) + len(self._due) >= MOST
            if not full:
                self._fresh.append(job)
        if full:
            self._leave_out(job, f"{MOST} are under way")
        self._wake.set()

    def _next(self) -> tuple[_Filed | _Cleared | None, bool]:
        """What to do, and whether its compressed pictures are still to be fetched."""
        with self._lock:
            if self._fresh:
                return self._fresh.popleft(), True
            if self._due and self._due[0][0] <= self._clock.steady():
                return heapq.heappop(self._due)[2], False
        return None, False

    def _fetch(self, job: _Filed | _Cleared) -> None:
        camera_id, due = job.incident.camera_id, self._clock.steady()
        if isinstance(job, _Filed):
            at = job.incident.confirmed_at
            ready: _Filed | _Cleared = replace(job, kept=self._moments(camera_id, at, before=True))
            due = at + self._settings.clip_s + _LATE_S
        else:
            ready = replace(job, kept=self._kept(camera_id, job.seen_at))
        with self._lock:
            heapq.heappush(self._due, (due, next(self._numbers), ready))

    def _moments(self, camera_id: str, at: float, *, before: bool) -> list[Moment]:
        start, end = (
            (at - self._settings.clip_s, at) if before else (at, at + self._settings.clip_s)
        )
        return moments_between(partial(self._kept, camera_id), start, end)

    def _film(self, job: _Filed) -> None:
        incident = job.incident
        later = self._moments(incident.camera_id, incident.confirmed_at, before=False)
        frames = self._seen(half(job.kept, later))
        longest_px = self._settings.longest_side_px
        data = clip_of(frames, incident.camera_id, incident.confirmed_at, longest_px)
        name = name_of(incident, "clip", ".mp4")
        self._store.keep({name: data}, about(incident))
        self._outbox.put("evidence", incident, replace(job.evidence, clip=name))

    def _seen(self, moments: Sequence[Moment]) -> Iterator[tuple[float, Snapshot]]:
        for at, kept in moments:
            picture = picture_of(kept)
            if picture is not None:  # a damaged one tells nothing
                yield at, self._look(picture)

    def _pair(self, job: _Cleared) -> None:
        incident = job.incident
        picture = None if job.kept is None else picture_of(job.kept)
        if picture is None:
            raise EvidenceError("the picture without the hazard is gone already")
        after = covered(self._look(picture), self._settings.longest_side_px)
        quality = self._settings.jpeg_quality
        evidence = replace(job.evidence, after=name_of(incident, "after"))
        files = {str(evidence.after): jpeg(after, quality)}
        pair = self._joined(job, after)
        if pair is not None:
            evidence = replace(evidence, pair=name_of(incident, "pair"))
            files[str(evidence.pair)] = jpeg(pair, quality)
        self._store.keep(files, about(incident))
        self._outbox.put("evidence", incident, evidence)

    def _joined(self, job: _Cleared, after: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """None where the first picture can't be had, as while a bucket is away."""
        incident = job.incident
        who = Who("gridwatch", socket.gethostname(), "desk", "before and after")
        try:
            data = self._store.read(job.evidence.plain, who).data
        except EvidenceError as error:
            log.warning("evidence.no_pair", incident_id=incident.incident_id, reason=str(error))
            return None
        before = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if before is None:
            return None
        return side_by_side(
            (before.astype(np.uint8), f"BEFORE  {time_text(incident.confirmed_at)}"),
            (after, f"AFTER  {time_text(job.seen_at)}"),
            incident.box,
        )

    def _leave_out(self, job: _Filed | _Cleared, reason: str) -> None:
        self.left_out += 1
        log.warning(
            "evidence.left_out",
            what="clip" if isinstance(job, _Filed) else "pair",
            incident_id=job.incident.incident_id,
            reason=reason,
        )
