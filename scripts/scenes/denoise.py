"""Open Image Denoise as bpy carries it, called directly: one call a picture, not one a light."""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_char_p, c_int, c_size_t, c_void_p
from functools import cache

import bpy  # noqa: F401  loads the library
import numpy as np

_FLOAT3, _CPU, _FAST = 3, 1, 4


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libOpenImageDenoise.so.2")  # loaded with bpy, so found by its name
    for name, result, arguments in (
        ("oidnNewDevice", c_void_p, (c_int,)),
        ("oidnCommitDevice", None, (c_void_p,)),
        ("oidnSetDeviceInt", None, (c_void_p, c_char_p, c_int)),
        ("oidnNewFilter", c_void_p, (c_void_p, c_char_p)),
        (
            "oidnSetSharedFilterImage",
            None,
            (c_void_p, c_char_p, c_void_p, c_int, *(c_size_t,) * 5),
        ),
        ("oidnSetFilterBool", None, (c_void_p, c_char_p, c_bool)),
        ("oidnSetFilterInt", None, (c_void_p, c_char_p, c_int)),
        ("oidnCommitFilter", None, (c_void_p,)),
        ("oidnExecuteFilter", None, (c_void_p,)),
        ("oidnGetDeviceError", c_int, (c_void_p, ctypes.POINTER(c_char_p))),
    ):
        call = getattr(library, name)
        call.restype, call.argtypes = result, arguments
    return library


class Denoiser:
    """Denoises linear pictures of one size, guided by albedo and normals."""

    def __init__(self, height: int, width: int, threads: int) -> None:
        self._images = {
            name: np.zeros((height, width, 3), np.float32)
            for name in ("color", "albedo", "normal", "output")
        }
        call = _library()
        self._device = call.oidnNewDevice(_CPU)
        call.oidnSetDeviceInt(self._device, b"numThreads", threads)
        call.oidnCommitDevice(self._device)
        self._filter = call.oidnNewFilter(self._device, b"RT")
        for name, image in self._images.items():
            call.oidnSetSharedFilterImage(
                self._filter, name.encode(), image.ctypes.data, _FLOAT3, width, height, 0, 0, 0
            )
        call.oidnSetFilterBool(self._filter, b"hdr", True)
        call.oidnSetFilterInt(self._filter, b"quality", _FAST)
        call.oidnCommitFilter(self._filter)

    def __call__(self, colour: np.ndarray, albedo: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """float32 (h, w, 3) each, linear; returns a new picture of the same kind."""
        for name, image in (("color", colour), ("albedo", albedo), ("normal", normal)):
            self._images[name][:] = image
        call, message = _library(), c_char_p()
        call.oidnExecuteFilter(self._filter)
        if call.oidnGetDeviceError(self._device, ctypes.byref(message)):
            raise RuntimeError(f"Open Image Denoise: {(message.value or b'').decode()}")
        return self._images["output"].copy()
