"""Which hardware runs the network: TensorRT, CUDA, OpenVINO or the CPU, whichever is there.

A rung that can't be used is left with a reason, so that nobody runs a town on a CPU beside an idle
GPU without knowing.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from contextlib import redirect_stdout, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import onnxruntime as ort
import structlog

from pipeline.detect.session import CPU, open_session
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.detect.card import ModelInput
    from pipeline.settings import ModelSettings

Provider = Literal["tensorrt", "cuda", "openvino", "cpu"]
LADDER: tuple[Provider, ...] = get_args(Provider)
"""From the fastest that a box may have to what every box has."""
NAMES: Mapping[Provider, str] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": CPU,
}
_GPU = ("tensorrt", "cuda")
_DRIVER = Path("/proc/driver/nvidia")
_ENGINE_MAKERS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "openvino")

log = structlog.get_logger(__name__)


def ladder(settings: ModelSettings) -> tuple[Provider, ...]:
    """The rungs to try, best first: those of this onnxruntime, or the one that is named.

    Raises ModelError when the named one is not there.
    """
    there = set(ort.get_available_providers())
    rungs = tuple(one for one in LADDER if NAMES[one] in there)
    if settings.provider == "auto":
        return rungs
    if settings.provider not in rungs:
        raise ModelError(
            "this onnxruntime doesn't have the provider; install gridwatch with the extra gpu or "
            "openvino",
            where="model.provider",
            found=settings.provider,
            allowed=", ".join(("auto", *rungs)),
        )
    return (settings.provider,)


def on_gpu(provider: Provider) -> bool:
    return provider in _GPU


def open_on(
    provider: Provider, path: Path, shape: ModelInput, settings: ModelSettings, threads: int
) -> Any:
    """A session of onnxruntime that really runs on this rung.

    An engine that was kept and can't be read any more is built anew. Raises ModelError.
    """
    kept = _kept(provider, path, settings)
    try:
        return _open(provider, path, shape, settings, kept, threads)
    except ModelError as error:
        if not forget_engines(provider, path, settings, why=str(error)):
            raise
        return _open(provider, path, shape, settings, _kept(provider, path, settings), threads)


def forget_engines(provider: Provider, path: Path, settings: ModelSettings, *, why: str) -> bool:
    """Have the engines that are kept for this built anew; False if there are none."""
    kept = _kept(provider, path, settings)
    if kept is None or not any(kept.iterdir()):
        return False
    log.warning("engine_rebuilt", provider=provider, folder=str(kept), why=why)
    shutil.rmtree(kept, ignore_errors=True)
    return True


def options_on(
    provider: Provider, path: Path, shape: ModelInput, settings: ModelSettings
) -> dict[str, str]:
    """What ``open_on`` sets this provider to."""
    return _options(provider, shape, settings, _kept(provider, path, settings))


def load_libraries(provider: Provider) -> None:
    """Those of CUDA that came as Python packages lie where the system's loader doesn't look."""
    if on_gpu(provider) and hasattr(ort, "preload_dlls"):
        with redirect_stdout(sys.stderr):  # it prints what it misses; stdout is for results
            ort.preload_dlls()


def _open(
    provider: Provider,
    path: Path,
    shape: ModelInput,
    settings: ModelSettings,
    kept: Path | None,
    threads: int,
) -> Any:
    load_libraries(provider)
    options = _options(provider, shape, settings, kept)
    if provider != "tensorrt":
        return open_session(path, threads, [(NAMES[provider], options)])
    plain = settings.model_copy(update={"cuda_graphs": False})
    rest = (NAMES["cuda"], _options("cuda", shape, plain, None))  # what it can't do itself
    try:
        return open_session(path, threads, [(NAMES[provider], options), rest])
    except ModelError as error:
        # Where it leaves the beginning of the network to CUDA, its own input isn't ``pictures``:
        # then it has to learn the sizes from the batches that it is warmed up with.
        free = {name: value for name, value in options.items() if not _told_size(name)}
        log.info("engine_sizes_learnt", provider=provider, why=str(error))
        return open_session(path, threads, [(NAMES[provider], free), rest])


def _told_size(option: str) -> bool:
    return option.startswith("trt_profile_")


def _options(
    provider: Provider, shape: ModelInput, settings: ModelSettings, kept: Path | None
) -> dict[str, str]:
    folder = "" if kept is None else str(kept)
    limit = str(round(settings.gpu_memory_mib * (1 << 20)))
    graphs = "1" if settings.cuda_graphs else "0"
    if provider == "cuda":
        return {"gpu_mem_limit": limit, "enable_cuda_graph": graphs}
    if provider == "tensorrt":
        return {
            "trt_fp16_enable": "1",
            "trt_max_workspace_size": limit,
            "trt_engine_cache_enable": "1" if folder else "0",
            "trt_engine_cache_path": folder,
            "trt_timing_cache_enable": "1" if folder else "0",
            "trt_timing_cache_path": folder,
            "trt_cuda_graph_enable": graphs,
            **{
                f"trt_profile_{which}_shapes": f"pictures:{n}x{shape.height * 3 // 2}x{shape.width}"
                for which, n in (("min", 1), ("opt", settings.batch), ("max", settings.batch))
            },
        }
    if provider == "openvino":
        # What arrives are single looks and small batches, on cores that others need as well.
        return {"device_type": "CPU", **({"cache_dir": folder} if folder else {})}
    return {}


def _kept(provider: Provider, path: Path, settings: ModelSettings) -> Path | None:
    """Where engines built for this model, hardware and software are kept; None if they can't be."""
    if provider not in ("tensorrt", "openvino"):
        return None
    told = [path.read_bytes(), provider, ort.__version__, settings.batch, *_hardware(), *_makers()]
    digest = hashlib.sha256()
    for one in told:
        digest.update(one if isinstance(one, bytes) else repr(one).encode())
    folder = settings.engines / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.warning("engines_not_kept", folder=str(folder), why=error.strerror)
        return None
    return folder


def _hardware() -> Sequence[str]:
    """The NVIDIA GPUs of this box, their driver and its version, as the driver tells them."""
    told = []
    for path in (_DRIVER / "version", *sorted(_DRIVER.glob("gpus/*/information"))):
        with suppress(OSError):
            told.append(path.read_text())
    return told


def _makers() -> Sequence[str]:
    """Versions of what builds engines, as far as it came as a Python package."""
    found = []
    for name in _ENGINE_MAKERS:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return found
