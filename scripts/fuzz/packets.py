"""One child's work: packets of one stream, half of them mutated, through the product's Source.

    python -m scripts.fuzz.packets STREAM.ts SEED COUNT

prints what became of them as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import av

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.ingest import Source
from pipeline.ingest.faults import reading_error
from pipeline.ingest.parameter_sets import ParameterSets
from pipeline.ingest.streams import EVERYTHING, Arrival, FileStream, Wants
from pipeline.settings import IngestSettings

from .mutations import BROKEN, LOST
from .streams import SIZE, corrupt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.ingest import Look
    from pipeline.ingest.decoding import Codec

_URL = "rtsp://fuzz/"
_PATIENT = IngestSettings(interval_s=0.01, stalled_after_s=600)


class FedStream:
    """A live stream of given packets, one a second."""

    def __init__(self, codec: Codec, packets: Sequence[tuple[bytes, bool]]) -> None:
        self._sets = ParameterSets(codec)
        self.codec = codec
        self._packets = packets

    def arrivals(self, wants: Wants = EVERYTHING) -> Iterator[Arrival]:  # noqa: ARG002 - all
        for number, (data, key) in enumerate(self._packets):
            packet = av.Packet(data)
            packet.pts = number
            if key:
                self.codec = self._sets.key(packet)
            yield Arrival(packet, number, key, float(number), float(number))

    def failure(self, error: Exception) -> SourceError:
        return reading_error(error, _URL, silent_s=0)

    def close(self) -> None:
        pass


class FedSource(Source):
    """The product's source, opened on a given stream."""

    def __init__(self, stream: FedStream, *, groups: bool) -> None:
        policy = "all" if groups else "keys"
        clock = SystemClock()
        super().__init__("fuzz", _URL, _PATIENT, size=SIZE, clock=clock, policy=policy)
        self._given = stream

    def _open(self) -> FedStream:
        self.opened_at = 0.0
        self.whole_at = self._clock.monotonic()  # a picture has come: the camera is known
        return self._given


def packets_of(path: Path) -> tuple[Codec, list[tuple[bytes, bool]]]:
    stream = FileStream(path)
    packets = [(bytes(arrival.packet), arrival.key) for arrival in stream.arrivals()]
    stream.close()
    return stream.codec, packets


def run(path: Path, seed: int, count: int) -> dict[str, object]:
    """Feed ``count`` mutated packets among as many good ones and judge every look."""
    rng = random.Random(seed)
    codec, packets = packets_of(path)
    groups = sum(key for _, key in packets) < len(packets)
    clean = whole_looks(path)
    kinds: dict[int, str] = {}
    fed: list[tuple[bytes, bool]] = []
    while len(kinds) < count:
        data, key = packets[len(fed) % len(packets)]
        if rng.random() < (0.2 if groups else 0.5) and fed:
            chosen = rng.choice(LOST + BROKEN)
            mutated = chosen(data, rng)
            if mutated != data and mutated:
                kinds[len(fed)] = "lost" if chosen in LOST else "broken"
                data = mutated
        fed.append((data, key))
    told: Counter[str] = Counter({"mutated": len(kinds), "fed": len(fed)})
    source = FedSource(FedStream(codec, fed), groups=groups)
    spoilt = "good"
    seen = -1
    shown = 0
    for look in source.looks():
        number = round(look.captured_at)
        for at in range(seen + 1, number + 1):  # what hangs on a mutated packet is spoilt by it
            spoilt = _spoilt(kinds.get(at), spoilt, key=packets[at % len(packets)][1])
        seen = number
        told["looks"] += 1
        key = packets[number % len(packets)][1]
        shown += spoilt == "good" and key
        if corrupt(look, clean[number % len(packets)]):
            told[f"corrupt after {spoilt}"] += 1
            told["corrupt between keys"] += not key
    told["left out"] = source.corrupt
    good = sum(packets[at % len(packets)][1] for at in range(len(fed)) if at not in kinds)
    told["good keys left out"] = good - shown
    return dict(told)


def _spoilt(kind: str | None, before: str, *, key: bool) -> str:
    """By what a picture is spoilt: by its own packet, or by one before it in its group."""
    if key:
        return kind or "good"
    return before if kind is None or before == "broken" else kind


def whole_looks(path: Path) -> list[Look]:
    """The looks of all pictures as they were encoded."""
    clock = SystemClock()
    source = Source("fuzz", str(path), _PATIENT, size=SIZE, clock=clock, policy="all", interval_s=0)
    return list(source.looks())


if __name__ == "__main__":
    try:
        print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
    except SourceError as error:
        sys.exit(f"unexpected end: {error}")
