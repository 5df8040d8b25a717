"""Memory that a GPU may read by itself while the processor goes on: its pages are locked.

What is copied to a GPU from ordinary memory goes through a locked buffer of the driver's first, so
that is one copy more. Where CUDA's library isn't there, or refuses, ordinary memory does as well.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

LIBRARIES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")
"""CUDA's runtime, the newest first; onnxruntime has loaded one of them before."""

log = structlog.get_logger(__name__)


def pinned(
    shape: Sequence[int], value: int, load: Callable[[str], Any] = ctypes.CDLL
) -> NDArray[np.uint8]:
    """An array of uint8 filled with ``value``, in locked pages where that can be had."""
    array = np.full(shape, value, np.uint8)
    cuda = _cuda(load)
    if cuda is None:
        return array
    address, length = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
    refused = cuda.cudaHostRegister(address, length, ctypes.c_uint(0))
    if refused:
        log.info("memory_not_pinned", cuda_error=refused, bytes=array.nbytes)
    else:
        weakref.finalize(array, cuda.cudaHostUnregister, address)
    return array


def _cuda(load: Callable[[str], Any]) -> Any | None:
    for name in LIBRARIES:
        try:
            return load(name)
        except OSError:
            continue
    return None
