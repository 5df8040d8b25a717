"""Opens model files for onnxruntime, the same way for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CPU = "CPUExecutionProvider"
_QUIET = 4  # onnxruntime's level "fatal": what goes wrong is told by the exception


def open_session(
    path: Path, threads: int, providers: Sequence[tuple[str, dict[str, str]]] = ((CPU, {}),)
) -> Any:
    """An inference session on the first of these providers; ``threads`` 0: all cores.

    Raises ModelError for a file that can't be run, or a provider that can't be used: onnxruntime
    itself would go on without a word on the CPU.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _QUIET
    # Threads wait for each other within a run alone: after it the cores belong to who decodes.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        # From memory, so that a model which wants further files beside it is refused.
        session = ort.InferenceSession(path.read_bytes(), options, providers=list(providers))
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no common public base
        raise ModelError(
            "cannot be loaded by onnxruntime",
            file=path,
            found=str(error).splitlines()[0][:200],
            allowed="one self-contained ONNX file",
        ) from None
    session.disable_fallback()
    wanted, found = providers[0][0], session.get_providers()[0]
    if found != wanted:
        raise ModelError(
            "its provider can't be used: driver or libraries are missing, or of another version",
            file=path,
            found=found,
            allowed=wanted,
        )
    return session
