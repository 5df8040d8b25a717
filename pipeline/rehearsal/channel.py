"""One clip at one place of the city's timeline, sent to everybody who watches it there.

A frame is made ready once and written to all viewers, so that a thousand cameras made from a few
clips cost little more than the writing itself. What a camera does wrong is done here, viewer by
viewer.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.rehearsal.packets import ClipPackets

BUFFER_LIMIT = 1 << 20  # bytes that may wait for a slow viewer before frames are left out
PATIENCE_S = 10.0  # a viewer who takes nothing for so long is disconnected
_TRICKLE_BYTES = 8  # of a frame, each time one is due
_RTP_START = 16  # '$', channel and length, then the RTP header: what garbage leaves alone


class FaultKind(Enum):
    """What a camera does wrong."""

    REFUSE = "closes the connection at the first request"
    HANG = "accepts and never answers"
    SILENT = "answers PLAY and never sends"
    STALL = "stops sending but keeps the connection"
    CLOSE = "closes the connection in the middle of the stream"
    UNAUTHORISED = "turns every login away"
    NOT_FOUND = "doesn't know its own path"
    TRICKLE = "sends a few bytes at a time"
    GARBAGE = "sends packets with noise in them"
    SHOW = "shows another clip"

    @property
    def concerns_pictures(self) -> bool:
        """Whether the connection stays as it is."""
        return self in _IN_THE_STREAM


_SILENCE = (FaultKind.STALL, FaultKind.SILENT)
_IN_THE_STREAM = (
    *_SILENCE,
    FaultKind.TRICKLE,
    FaultKind.GARBAGE,
    FaultKind.SHOW,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; what happens in the stream begins ``after_s`` seconds after PLAY.

    CLOSE with a short ``after_s`` is a camera that flaps. ``clip``: what SHOW shows, a clip with
    the same frames at the same times.
    """

    kind: FaultKind
    after_s: float = 0.0
    clip: str | None = None


@dataclass(slots=True)
class Served:
    """What a camera was asked and has sent since the city began."""

    sessions: int = 0
    frames: int = 0
    keys: int = 0


@dataclass(eq=False, slots=True)
class Viewer:
    """One connection that is sent a stream. A slow one loses whole stretches up to a key frame."""

    camera_id: str
    writer: asyncio.StreamWriter
    played_at: float
    fault: Callable[[], Fault | None]
    served: Served
    waits_for_key: bool = True
    last_taken_at: float | None = None
    _before: Fault | None = None
    _rest: bytes = b""

    def step(self, moment: Moment, now: float) -> None:
        """Send what this camera sends at this moment, or end the connection."""
        fault = self.fault()
        if fault is not None and now - self.played_at < fault.after_s:
            fault = None
        if fault is not self._before:
            self._change(fault)
        kind = fault.kind if fault else None
        if self.writer.is_closing():
            return
        if kind is FaultKind.CLOSE:
            self.writer.close()
        elif kind in _SILENCE:
            self.waits_for_key = True
        elif kind is FaultKind.TRICKLE:
            self._trickle(moment)
        elif kind is FaultKind.GARBAGE:
            self._offer(moment, moment.noise(), now)
        else:
            self._offer(moment, moment.data(fault.clip if fault else None), now)

    def _change(self, fault: Fault | None) -> None:
        self._before, self.waits_for_key = fault, True
        if self._rest:  # else what follows would be taken for the rest of this packet
            self.writer.write(self._rest)
            self._rest = b""

    def _trickle(self, moment: Moment) -> None:
        if not self._rest:
            self._rest = moment.data(None)
        self.writer.write(self._rest[:_TRICKLE_BYTES])
        self._rest = self._rest[_TRICKLE_BYTES:]

    def _offer(self, moment: Moment, data: bytes, now: float) -> None:
        """Write if the viewer keeps up; disconnect when it has taken nothing for too long."""
        waiting = self.writer.transport.get_write_buffer_size()
        if waiting <= BUFFER_LIMIT or self.last_taken_at is None:
            self.last_taken_at = now
        elif now - self.last_taken_at > PATIENCE_S:
            self.writer.transport.abort()
            return
        if waiting > BUFFER_LIMIT:
            self.waits_for_key = True
        elif not self.waits_for_key or moment.key:
            self.waits_for_key = False
            self.writer.write(data)
            self.served.frames += 1
            self.served.keys += moment.key


class Moment:
    """A frame of a channel that is due: made ready once, whatever the number of viewers."""

    def __init__(self, position: int, clip: ClipPackets, clips: dict[str, ClipPackets]) -> None:
        self.position = position
        self.key = clip.is_key(position)
        self._clip, self._clips = clip, clips
        self._ready: dict[str | None, bytes] = {}

    def data(self, name: str | None) -> bytes:
        """The frame of the channel's clip, or of the one that is shown instead."""
        if name not in self._ready:
            clip = self._clip if name is None else self._clips[name]
            self._ready[name] = clip.data_at(self.position)
        return self._ready[name]

    def noise(self) -> bytes:
        """The frame's packets with nothing but noise in them."""
        data = bytearray(self.data(None))
        starts = self._clip.frames[self.position % len(self._clip.frames)].packet_starts
        noise = random.Random(self.position)  # noqa: S311 - the same at each run
        for start, end in zip(starts, (*starts[1:], len(data)), strict=True):
            data[start + _RTP_START : end] = noise.randbytes(end - start - _RTP_START)
        return bytes(data)


@dataclass(eq=False)
class Channel:
    """Begins with the frame due at ``began``; ``end`` is the position where it stops.

    ``origin`` is when the clip began; all in the loop's time.
    """

    clip: ClipPackets
    clips: dict[str, ClipPackets]
    origin: float
    began: float
    end: int | None = None
    viewers: set[Viewer] = field(default_factory=set)
    late_s: float = 0.0
    """By how much a frame was sent too late at most."""

    async def run(self) -> None:
        """Send until the end of the clip, or until nobody watches any more."""
        now = asyncio.get_running_loop().time
        position = self.clip.position_at(self.began - self.origin)
        while self.viewers and (self.end is None or position < self.end):
            due = self.origin + self.clip.due_s(position)
            await asyncio.sleep(max(0.0, due - now()))
            self.late_s = max(self.late_s, now() - due)
            moment = Moment(position, self.clip, self.clips)
            for viewer in tuple(self.viewers):
                viewer.step(moment, now())
            position += 1
        for viewer in self.viewers:
            viewer.writer.close()
