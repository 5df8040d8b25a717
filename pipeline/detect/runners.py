"""How a batch of pictures goes through a session: on a CPU in lanes, elsewhere in buckets.

On a CPU every look is a run of its own, on one thread, and as many of them run side by side as
there are cores. Threads that share the work of one run wait for each other after every layer, and a
larger batch leaves the caches. Only when there are fewer looks than lanes do threads share one: the
cores would stand idle. So a look's result doesn't depend on its neighbours either.

A GPU wants large batches of few sizes that it knows: a batch fills the smallest bucket that holds
it, whose input and output stay where they are.
"""

from __future__ import annotations

import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnxruntime as ort

from pipeline.detect.pinned import pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

STUCK_TIMES = 10.0
"""A run that takes so many times what it usually does has got stuck in the device."""
STUCK_LEAST_S = 10.0
"""But a machine may be busy with other things for a while."""


class RunError(Exception):
    """A run failed, got stuck or gave nonsense; the message is for people."""


class Runner(Protocol):
    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Rows (K, 6) of each I420 picture. Raises RunError."""
        ...

    def warm_up(self, picture: NDArray[np.uint8]) -> None:
        """Run every size of batch once, and learn how long it takes. Raises RunError."""
        ...

    def close(self) -> None: ...


class Lanes:
    """Single looks side by side, one thread each; fewer looks than lanes share the threads.

    ``single`` is a session of one thread, ``joint`` one of as many threads as there are lanes.
    """

    def __init__(self, single: Any, joint: Any, lanes: int) -> None:
        self._single, self._joint, self._lanes = single, joint, lanes
        self._pool = ThreadPoolExecutor(lanes, thread_name_prefix="detector lane")
        self._lane_s = self._joint_s = 0.0  # what a look took in a lane, all of them busy; jointly

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        count = len(pictures)
        left = count % self._lanes
        # Few looks one after the other on all threads, if that is sooner than side by side.
        joint = left if left * self._joint_s < self._lane_s else 0
        limit_s = _limit_s(self._lane_s * (1 + count // self._lanes))
        began_s = time.perf_counter()
        rows = self._side_by_side(pictures[: count - joint], limit_s)
        for picture in pictures[count - joint :]:
            passed_s = time.perf_counter() - began_s
            rows += _all_in(
                [_submitted(self._pool, _run, self._joint, picture)], limit_s - passed_s
            )
        return rows

    def warm_up(self, picture: NDArray[np.uint8]) -> None:
        for _ in range(2):  # the first time things are still being loaded
            self._lane_s = _timed(lambda: self._side_by_side([picture] * self._lanes, None))
            self._joint_s = _timed(lambda: _checked(_run(self._joint, picture)))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _side_by_side(
        self, pictures: Sequence[NDArray[np.uint8]], limit_s: float | None
    ) -> list[NDArray[np.float32]]:
        runs = [_submitted(self._pool, _run, self._single, picture) for picture in pictures]
        return _all_in(runs, limit_s)


class Buckets:
    """Batches of fixed sizes through one session, whose inputs lie ready on its ``device``.

    Pictures are copied once into the input of their bucket; what it has left from before fills the
    rest, and what comes out for that is thrown away.
    """

    def __init__(
        self,
        session: Any,
        size: tuple[int, int],
        largest: int,
        device: str = "cpu",
        *,
        graphs: bool = False,
    ) -> None:
        """``size``: width and height of the model's input. ``device``: ``cpu`` or ``cuda``."""
        width, height = size
        self._session = session
        self._buckets = [
            _Bucket(session, (count, height * 3 // 2, width), device, graphs=graphs)
            for count in sizes_up_to(largest)
        ]
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="detector device")

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        rows: list[NDArray[np.float32]] = []
        largest = self._buckets[-1].count
        for first in range(0, len(pictures), largest):
            part = pictures[first : first + largest]
            bucket = next(one for one in self._buckets if one.count >= len(part))
            work = _submitted(self._pool, bucket.run, part)
            rows += _all_in([work], _limit_s(bucket.usual_s))[0]
        return rows

    def warm_up(self, picture: NDArray[np.uint8]) -> None:
        # From both ends: an engine that learns its sizes by them is built twice, not each time.
        for bucket in (self._buckets[-1], *self._buckets[:-1]):
            for _ in range(2):
                work = partial(bucket.run, [picture] * bucket.count)
                bucket.usual_s = _timed(lambda work=work: self._pool.submit(work).result())  # type: ignore[misc]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Bucket:
    """Input and output of batches of one size."""

    def __init__(
        self, session: Any, shape: tuple[int, int, int], device: str, *, graphs: bool
    ) -> None:
        self.count = shape[0]
        self.usual_s = 0.0
        self._session = session
        self._pictures = np.full(shape, 114, np.uint8) if device == "cpu" else pinned(shape, 114)
        self._device = device
        self._input = ort.OrtValue.ortvalue_from_numpy(self._pictures, device, 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(session.get_inputs()[0].name, self._input)
        self._options = ort.RunOptions()
        self._output: Any = None  # where it always lies, if it has to
        name = session.get_outputs()[0].name
        if graphs:
            self._output = self._fixed_output(name)
            self._binding.bind_ortvalue_output(name, self._output)
            self._options.add_run_config_entry("gpu_graph_id", str(self.count))
        else:
            self._binding.bind_output(name, "cpu")

    def run(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        for place, picture in zip(self._pictures, pictures, strict=False):
            place[...] = picture
        try:
            if self._device != "cpu":  # there the input is this very array
                self._input.update_inplace(self._pictures)
            self._session.run_with_iobinding(self._binding, self._options)
            boxes = self._boxes()
        except Exception as error:  # noqa: BLE001 - onnxruntime's have no common public base
            raise RunError(_first_line(error)) from None
        return [_checked(rows) for rows in boxes[: len(pictures)]]

    def _boxes(self) -> NDArray[np.float32]:
        if self._output is not None:
            return np.array(self._output.numpy())  # a copy: the next run writes over it
        (boxes,) = self._binding.copy_outputs_to_cpu()
        return np.asarray(boxes, np.float32)

    def _fixed_output(self, name: str) -> Any:
        """Memory of the device for the output, as large as a run without a graph says.

        A graph that is replayed does what it did when it was captured: it writes there and nowhere
        else. An output that is brought to the CPU by the run itself would stay that of the capture.
        """
        self._binding.bind_output(name, self._device)
        uncaptured = ort.RunOptions()
        uncaptured.add_run_config_entry("gpu_graph_id", "-1")
        try:
            self._session.run_with_iobinding(self._binding, uncaptured)
            (first,) = self._binding.get_outputs()
            return ort.OrtValue.ortvalue_from_shape_and_type(
                first.shape(), np.float32, self._device, 0
            )
        except Exception as error:  # noqa: BLE001 - as in ``run``
            raise RunError(_first_line(error)) from None


def sizes_up_to(largest: int) -> list[int]:
    """Powers of two below ``largest``, and that."""
    sizes = [1]
    while sizes[-1] < largest:
        sizes.append(min(2 * sizes[-1], largest))
    return sizes


def _run(session: Any, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    try:
        (boxes,) = session.run(None, {"pictures": picture[None]})
    except Exception as error:  # noqa: BLE001 - onnxruntime's have no common public base
        raise RunError(_first_line(error)) from None
    return _checked(boxes[0])


def _checked(rows: NDArray[Any]) -> NDArray[np.float32]:
    if not np.isfinite(rows).all():
        raise RunError("the output holds numbers that are none (NaN or infinite)")
    return np.asarray(rows, np.float32)


def _all_in(runs: Iterable[Any], limit_s: float | None) -> list[Any]:
    """What all these runs gave; RunError when they take longer together."""
    ends_at = None if limit_s is None else time.perf_counter() + max(0.0, limit_s)
    try:
        return [
            run.result(None if ends_at is None else max(0.0, ends_at - time.perf_counter()))
            for run in runs
        ]
    except TooLate:
        raise RunError(f"a run got stuck: not done after {limit_s:.0f} s") from None
    except CancelledError:  # another thread's run failed, and the session is being replaced
        raise RunError("its session was closed meanwhile") from None


def _submitted(pool: ThreadPoolExecutor, *work: Any) -> Future[Any]:
    try:
        return pool.submit(*work)
    except RuntimeError:
        raise RunError("its session was closed meanwhile") from None


def _limit_s(usual_s: float) -> float:
    return max(STUCK_LEAST_S, STUCK_TIMES * usual_s)


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()  # of this machine, whatever time it is in the town
    work()
    return time.perf_counter() - began_s


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
