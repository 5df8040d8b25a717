"""Is everything here that a run needs? Each check says what it found and what to do."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.clock import SystemClock
from pipeline.detect import Detector, head_counter, time_per_look_ms, time_per_picture_ms
from pipeline.errors import EvidenceError, GridwatchError, SettingsError
from pipeline.ingest import why_no_device
from pipeline.settings_file import load_settings
from pipeline.tickets import (
    STALE_S,
    CameraBoard,
    NotifyStore,
    Outbox,
    open_redis,
    open_store,
    recipients_of,
    redis_risks,
)
from pipeline.town import load_town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    check: str
    good: bool
    text: str


def examine(settings_file: Path | None) -> list[Finding]:
    """Look at Python, settings, model, town, Redis and disk, going on past what is wrong."""
    findings = [Finding("python", good=True, text=sys.version.split()[0])]
    try:
        settings = load_settings(settings_file)
    except GridwatchError as error:
        return [*findings, Finding("settings", good=False, text=str(error))]
    findings.append(
        Finding(
            "settings",
            good=True,
            text=str(settings_file or "defaults; name a file with --settings"),
        )
    )
    checks: dict[str, Callable[[Settings], str]] = {
        "model": _model,
        "heads": _heads,
        "decoder": _decoder,
        "town": _town,
        "holidays": _holidays,
        "redis": _redis,
        "camera list": _camera_list,
        "disk": _disk,
        "evidence": _evidence,
        "outbox": _outbox,
        "notify": _notify,
    }
    return findings + [_tried(name, check, settings) for name, check in checks.items()]


def _tried(name: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(name, good=True, text=check(settings))
    except (GridwatchError, OSError) as error:
        return Finding(name, good=False, text=str(error))


def _model(settings: Settings) -> str:
    detector = Detector(settings.model)
    return f"{detector.card.label}, {detector.provider}, {time_per_look_ms(detector, 1)} ms a look"


def _heads(settings: Settings) -> str:
    counter = head_counter(settings.heads)
    if counter is None:
        return "no head counter: people are counted by boxes alone, which misses most of a crowd"
    return f"{counter.card.label}, {time_per_picture_ms(counter)} ms a picture of 1080p"


def _decoder(settings: Settings) -> str:
    if settings.ingest.decoder == "cpu":
        return "cpu"
    if why := why_no_device("cuda"):
        raise SettingsError(
            "can't be used here, so the processor decodes",
            where="ingest.decoder",
            found=f"nvdec: {why}",
            allowed="cpu, or an NVIDIA GPU with its driver",
        )
    return "nvdec"


def _town(settings: Settings) -> str:
    town = load_town(settings.town)
    return f"{len(town.cameras)} cameras, {len(town.grids)} grids, {len(town.duties)} duties"


def _holidays(settings: Settings) -> str:
    """Of which years working time can be counted right: no fault, but good to know in time."""
    days = load_town(settings.town).holidays
    year = datetime.fromtimestamp(SystemClock().now(), UTC).year
    told = ", ".join(f"{one} {'known' if days.known(one) else 'not'}" for one in (year, year + 1))
    return f"{told}; of a year that isn't, Monday to Friday count (town.holidays names a file)"


def _redis(settings: Settings) -> str:
    with open_redis(settings.redis, settings.data_dir) as redis:
        info, risks = redis.info("server"), redis_risks(redis)
    if risks:
        raise GridwatchError("; ".join(risks))
    kind = "private" if settings.redis.url is None else "by URL"
    return f"{kind}, version {info['redis_version']}"


def _camera_list(settings: Settings) -> str:
    """Whether the boxes that run took over the list as it stands."""
    clock = SystemClock()
    with open_redis(settings.redis, settings.data_dir) as redis:
        refused = CameraBoard(redis, clock=clock, prefix=settings.redis.prefix).refused_lists()
    now = [one for one in refused if clock.now() - one.told_at <= STALE_S]
    if now:
        raise GridwatchError(
            "; ".join(f"{one.host} goes on with the old one: {one.why}" for one in now)
        )
    return "no box refuses it"


def _evidence(settings: Settings) -> str:
    store = open_store(settings, SystemClock())
    if store.bucket is not None:
        store.bucket.check()
    if not (settings.data_dir / "evidence.sqlite").exists():
        return "none yet"
    try:
        waiting = store.ledger.waiting_bytes() / 1e6
        broken = [
            f"{name}: {one.broken}" for name, one in store.ledger.verify().items() if one.broken
        ]
    finally:
        store.close()
    if broken:
        raise EvidenceError("; ".join(broken))
    if store.bucket is None:
        return f"{store.folder.root}, {waiting:.0f} MB"
    return f"{store.bucket}, {waiting:.0f} MB 待传 / wait to be carried"


def _outbox(settings: Settings) -> str:
    path = settings.data_dir / "outbox.sqlite"
    if not path.exists():
        return "empty"
    with Outbox(path, SystemClock()) as outbox:
        waiting, refused = outbox.backlog(), outbox.refused()
    if refused:
        raise GridwatchError(
            f"{len(refused)} entries refused by the desk: {refused[0].reason}; put that right and "
            "run `gridwatch outbox --retry`"
        )
    return f"{waiting} entries wait for the desk"


def _notify(settings: Settings) -> str:
    """Whether what was to be told has been; no URL and no secret is shown."""
    names = list(recipients_of(settings))
    with open_redis(settings.redis, settings.data_dir) as redis:
        found = NotifyStore(redis, prefix=settings.redis.prefix).standings(names)
    dead = [
        f"{one.name}: {len(one.dead)} given up, {one.dead[-1].why}" for one in found if one.dead
    ]
    if dead:
        raise GridwatchError(f"{'; '.join(dead)}; put that right and run `gridwatch notify retry`")
    waiting = sum(one.waiting for one in found)
    return f"{len(settings.notify.recipients)} recipients, {waiting} events wait for them"


def _disk(settings: Settings) -> str:
    folder = settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    least = settings.tickets.evidence.min_free_mb
    if free_mb < least:
        raise OSError(f"{free_mb} MB free in {folder}; below {least} MB tickets have no pictures")
    return f"{free_mb} MB free in {folder}"
