"""One camera's thread: opens its source, hands its looks on, says how it is, and comes back."""

from __future__ import annotations

import random
import threading
import traceback
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import structlog

from pipeline.errors import FootageError, SourceError
from pipeline.ingest.health import PictureHealth
from pipeline.ingest.source import Source
from pipeline.ingest.state import StateKeeper

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.evidence import Kept
    from pipeline.ingest.look import Look
    from pipeline.ingest.pace import Pace
    from pipeline.ingest.state import CameraState, CameraStatus
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_log = structlog.get_logger(__name__)


class CameraReader:
    """Reads one camera until told to stop.

    A live camera is opened again and again, with growing random pauses. A file is played once, at
    its own pace and with the time of day, as if a camera had recorded it now; then the camera is
    ``disabled``.
    """

    def __init__(
        self,
        camera: Camera,
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        deliver: Callable[[Look], None],
        gate: AbstractContextManager[object],
    ) -> None:
        self.camera_id = camera.camera_id
        self._settings = settings
        self._clock = clock
        self._deliver = deliver
        self._source = Source.of(camera, settings, size=size, clock=clock, gate=gate)
        self._interval_s = self._source.interval_s  # before any stretching
        self._keeper = StateKeeper(camera.camera_id, clock)
        self._health = PictureHealth(settings.picture_fault_s)
        self._telling = False  # whether the last picture tells anything
        self._stop = threading.Event()
        self._started_at = 0.0  # steady, when a file began to play; live: captured_at is it
        self._first_at: float | None = None  # monotonic, of this session's first look
        self._thread = threading.Thread(
            target=self._run, name=f"camera {camera.camera_id}", daemon=True
        )
        self._enabled = camera.enabled
        if not camera.enabled:
            self._keeper.change("disabled", "摄像机清单中已停用 / switched off in the camera list")

    def start(self) -> None:
        if self._enabled:
            self._thread.start()

    def request_stop(self) -> None:
        """Stop as soon as the camera lets us: no look is delivered after this."""
        self._stop.set()
        self._source.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; False when it still hangs in a camera (it ends by its timeout)."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> CameraStatus:
        return self._keeper.status(corrupt=self._source.corrupt)

    def full_picture(self, captured_at: float) -> NDArray[np.uint8] | None:
        return self._source.full_picture(captured_at - self._started_at)

    def kept_at(self, captured_at: float) -> Kept | None:
        """See Source.kept_at."""
        return self._source.kept_at(captured_at - self._started_at)

    def pace(self, pace: Pace) -> None:
        """Look as often as the pace says, from the next picture on."""
        extra_s = pace.extra.get(self.camera_id)
        if extra_s is None:
            self._source.interval_s = self._interval_s * pace.stretch
        else:
            self._source.interval_s = min(extra_s, self._interval_s)

    def watch(self) -> None:
        """Called by the supervisor: say so when pictures stopped coming, whatever the reason."""
        opened_at = self._source.opened_at
        if opened_at is None or self._stop.is_set():
            return
        heard_at = max(opened_at, self._source.heard_at or opened_at)
        now, limit_s = self._clock.monotonic(), self._settings.stalled_after_s
        if now - max(opened_at, self._keeper.shown_at or opened_at) < limit_s:
            return
        if now - heard_at < limit_s:
            why = "有数据但无法解出画面，请检查编码设置 / data comes but no picture can be decoded"
        else:
            why = f"{limit_s:.0f} 秒没有画面，请检查设备和线路 / no picture for {limit_s:.0f} s"
        self._keeper.change("stalled", why)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            healthy_s = self._session()
            if healthy_s is None:
                return
            if healthy_s >= self._settings.healthy_after_s:
                failures = 0
            self._clock.sleep(self._pause_s(failures), until=self._stop)
            failures += 1

    def _session(self) -> float | None:
        """One opening of the source. For how long pictures came; None when it is over for good."""
        self._first_at = None
        try:
            self._read()
        except SourceError as error:
            self._keeper.change(cast("CameraState", error.state), error.reason)
        except FootageError as error:
            self._keeper.change("unsupported", str(error))
            return None
        except Exception as error:  # noqa: BLE001 - our defect mustn't silence a camera for ever
            # Without the error's text: it may hold a URL with its password.
            where = traceback.format_tb(error.__traceback__)
            kind = type(error).__name__
            _log.error("reader failed", camera_id=self.camera_id, error=kind, where=where)
            self._keeper.change("stalled", "程序内部错误，见日志 / internal error, see the log")
        else:
            if not self._stop.is_set():
                self._keeper.change("disabled", "录像已播放完毕 / the recording has ended")
            return None
        now = self._clock.monotonic()
        return 0.0 if self._first_at is None else now - self._first_at

    def _read(self) -> None:
        began = self._clock.monotonic()
        if not self._source.live:
            self._started_at = self._clock.steady()
        with closing(self._source.looks()) as looks:
            for look in looks:
                self._show(look, began)
                if self._stop.is_set():
                    return

    def _show(self, look: Look, began: float) -> None:
        if not self._source.live:
            ahead_s = began + look.captured_at - self._clock.monotonic()
            self._clock.sleep(max(0.0, ahead_s), until=self._stop)
            look = replace(look, captured_at=look.captured_at + self._started_at)
        if self._stop.is_set():
            return
        self._first_at = self._first_at or self._clock.monotonic()
        if look.purpose == "whole":
            self._judge(look)
        if self._telling:
            self._deliver(look)

    def _judge(self, look: Look) -> None:
        """A picture is judged by its whole look, and its road looks share the verdict."""
        verdict = self._health.judge(look)
        self._keeper.shown(verdict.state, verdict.why)
        self._telling = verdict.telling
        if verdict.telling:
            self._keeper.looked(look.captured_at)

    def _pause_s(self, failures: int) -> float:
        """Exponential with full jitter, so that the cameras of one recorder don't come in step."""
        first_s, most_s = self._settings.backoff_first_s, self._settings.backoff_most_s
        upper_s = min(most_s, first_s * 2.0 ** min(failures, 30))
        return random.uniform(0, upper_s)  # noqa: S311 - no secret
