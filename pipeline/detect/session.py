"""Opens model files for onnxruntime, the same way for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from pipeline.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_QUIET = 3  # onnxruntime's level "error": its warnings are about graph details nobody can act on


def open_session(path: Path, threads: int) -> Any:
    """An inference session; ``threads`` 0: all cores. ModelError for a file that can't be run."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _QUIET
    # Waiting threads must not burn the cores that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # From memory, so that a model which wants further files beside it is refused.
        return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no common public base
        raise ModelError(
            "cannot be loaded by onnxruntime",
            file=path,
            found=str(error).splitlines()[0][:200],
            allowed="one self-contained ONNX file",
        ) from None
