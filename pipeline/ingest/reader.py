"""One camera's thread: opens its source, hands its looks on, says how it is, and comes back."""

from __future__ import annotations

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
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.evidence import Kept
    from pipeline.ingest.gate import Gate, Waiting
    from pipeline.ingest.look import Look
    from pipeline.ingest.pace import Pace
    from pipeline.ingest.sampling import Waits
    from pipeline.ingest.state import CameraState, CameraStatus
    from pipeline.ingest.suspicion import Suspicion
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_log = structlog.get_logger(__name__)


class CameraReader:
    """Reads one camera until told to stop.

    A live camera is opened again and again, when its gate lets it: after a failure with growing
    random pauses, and where a host has fewer sessions than cameras for a picture or two at a time.
    A file is played once, at its own pace and with the time of day, as if a camera had recorded it
    now; then the camera is ``disabled``.
    """

    def __init__(
        self,
        camera: Camera,
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        deliver: Callable[[Look], Waits | None],
        gate: Gate,
        detail_gate: Gate | None = None,
        views: Path | None = None,
        suspicion: Suspicion | None = None,
    ) -> None:
        """``detail_gate``: that of the main stream, for a camera with a ``sub_url``.

        ``views`` is the folder that keeps what cameras see over a restart (see PictureHealth).
        ``suspicion`` is what a reader before this one suspected of the camera.
        """
        self.camera_id = camera.camera_id
        self._settings = settings
        self._clock = clock
        self._deliver = deliver
        self._gate = gate
        self._source = Source.of(
            camera, settings, size=size, clock=clock, gate=gate, detail_way=detail_gate
        )
        self._interval_s = self._source.interval_s  # before any stretching
        self._keeper = StateKeeper(camera.camera_id, clock, settings.blip_s)
        self._health = PictureHealth(settings.picture_fault_s, views, suspicion)
        self.suspicion = suspicion
        """What the newest look and those before it hint at; None while all is well."""
        self._telling = False  # whether the last picture tells anything
        self._stop = threading.Event()
        self._started_at = 0.0  # steady, when a file began to play; live: captured_at is it
        self._made_at = clock.monotonic()
        self._begins_s = 0.0  # after its start
        self._first_at: float | None = None  # monotonic, of this session's first picture
        self._thread = threading.Thread(
            target=self._run, name=f"camera {camera.camera_id}", daemon=True
        )
        self._enabled = camera.enabled
        if not camera.enabled:
            gate.cancel()
            self._keeper.change("disabled", "摄像机清单中已停用 / switched off in the camera list")

    def start(self, *, after_s: float = 0.0) -> None:
        """Begin to read, so much later."""
        if self._enabled:
            self._begins_s = after_s
            self._thread.start()

    def request_stop(self) -> None:
        """Stop as soon as the camera lets us: no look is delivered after this."""
        self._stop.set()
        self._source.close()
        self._gate.cancel()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; False when it still hangs in a camera (it ends by its timeout)."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> CameraStatus:
        source = self._source
        return self._keeper.status(corrupt=source.corrupt, key_frames=source.key_frames)

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
        if self._stop.is_set():
            return
        waiting = self._gate.waiting()
        opened_at = self._source.opened_at
        if waiting is not None:
            self._watch_waiting(waiting)
        elif opened_at is not None:
            self._watch_open(opened_at)

    def _watch_open(self, opened_at: float) -> None:
        heard_at = max(opened_at, self._source.heard_at or opened_at)
        now, limit_s = self._clock.monotonic(), self._settings.stalled_after_s
        if now - max(opened_at, self._source.whole_at) < limit_s:
            return
        if now - heard_at < limit_s:
            why = "有数据但无法解出画面，请检查编码设置 / data comes but no picture can be decoded"
        else:
            why = f"{limit_s:.0f} 秒没有画面，请检查设备和线路 / no picture for {limit_s:.0f} s"
        self._keeper.change("stalled", why, at_once=True)

    def _watch_waiting(self, waiting: Waiting) -> None:
        """It waits for its host or for its turn there, which may take as long as the others'."""
        if waiting.trouble is not None:
            self._keeper.change(cast("CameraState", waiting.trouble.state), waiting.trouble.reason)
            return
        if waiting.share == 1:
            self._keeper.waits("等待连接 / waits until others of its host are connected")
            return
        self._keeper.waits(
            f"等待轮到，该设备每路连接由 {waiting.share} 台摄像机轮流使用 / waits for its turn: "
            f"{waiting.share} cameras share each stream of this host"
        )
        unseen_s = self._clock.monotonic() - (self._keeper.shown_at or self._made_at)
        if unseen_s > self._settings.visit_every_s + self._settings.stalled_after_s * waiting.share:
            self._keeper.change(
                "stalled",
                f"{unseen_s:.0f} 秒没有轮到，请增加该设备的连接数 / no turn for {unseen_s:.0f} s; "
                "let the device give more streams",
                at_once=True,
            )

    def _run(self) -> None:
        structlog.contextvars.bind_contextvars(camera_id=self.camera_id)  # of this thread alone
        self._clock.sleep(self._begins_s, until=self._stop)
        while not self._stop.is_set() and self._session():
            pass

    def _session(self) -> bool:
        """One opening of the source, when its gate lets it; False when it is over for good."""
        error, failed = None, True
        self._first_at = None
        try:
            self._read()
            failed = False
        except SourceError as reason:
            error = reason
            state = cast("CameraState", error.state)
            self._keeper.change(state, error.reason, at_once=self._gate.flaps)
        except FootageError as reason:
            self._keeper.change("unsupported", str(reason), at_once=True)
            return False
        except Exception as reason:  # noqa: BLE001 - our defect mustn't silence a camera for ever
            # Without the error's text: it may hold a URL with its password.
            where = traceback.format_tb(reason.__traceback__)
            kind = type(reason).__name__
            _log.error("reader failed", camera_id=self.camera_id, error=kind, where=where)
            self._keeper.change("stalled", "程序内部错误，见日志 / internal error, see the log")
        finally:
            self._gate.ended(error, failed=failed)
        if failed:
            self._keeper.failed()
        elif not self._source.live and not self._stop.is_set():
            self._keeper.change(
                "disabled", "录像已播放完毕 / the recording has ended", at_once=True
            )
            return False
        return True

    def _read(self) -> None:
        began = self._clock.monotonic()
        if not self._source.live:
            self._started_at = self._clock.steady()
        with closing(self._source.looks()) as looks:
            for look in looks:
                self._show(look, began)
                del look  # its picture need not wait for the next one
                if self._stop.is_set():
                    return

    def _show(self, look: Look, began: float) -> None:
        if not self._source.live:
            ahead_s = began + look.captured_at - self._clock.monotonic()
            self._clock.sleep(max(0.0, ahead_s), until=self._stop)
            look = replace(look, captured_at=look.captured_at + self._started_at)
        if self._stop.is_set():
            return
        if look.purpose == "whole":
            self._judge(look)
        if self._telling:
            waits = self._deliver(look)
            if look.purpose == "whole":
                self._source.offered(waits)

    def _judge(self, look: Look) -> None:
        """A picture is judged by its whole look, and its road looks share the verdict."""
        verdict = self._health.judge(look)
        self.suspicion = self._health.suspicion()
        now = self._clock.monotonic()
        # It takes another picture to tell if the first one is frozen, or how a change turns out.
        changing = verdict.telling != (verdict.state == "live")
        if self._source.live and (self._first_at is None or changing):
            self._source.look_soon()
        self._first_at = now if self._first_at is None else self._first_at
        believed = not self._gate.flaps or now - self._first_at >= self._settings.blip_s
        self._keeper.shown(verdict.state, verdict.why, believed=believed)
        self._telling = verdict.telling
        if verdict.telling:
            self._keeper.looked(look.captured_at)
        if self._source.live and self._gate.pictured(telling=verdict.telling):
            self._source.leave()
