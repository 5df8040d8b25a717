"""From FFmpeg's errors to ours: what is wrong with a camera or file, and what to do about it.

FFmpeg puts the URL, password included, into its messages; none of its text about a camera is
passed on. Sentences are Chinese first, English beside it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av

from pipeline.errors import FootageError, SourceError
from pipeline.town import masked_url

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.ingest.state import CameraState

_PROBE_TIMEOUT_S = 2.0
_DEFAULT_PORT = 554
VIDEO_FILES = "a video file (MP4, MKV, AVI, MPEG-TS, FLV or raw H.264/H.265)"


def unreachable(url: str, chinese: str, english: str) -> SourceError:
    return _error("unreachable", url, chinese, english)


def stalled(url: str, chinese: str, english: str) -> SourceError:
    return _error("stalled", url, chinese, english)


def unsupported(url: str, chinese: str, english: str) -> SourceError:
    return _error("unsupported", url, chinese, english)


def _error(state: CameraState, url: str, chinese: str, english: str) -> SourceError:
    return SourceError(state, f"{chinese} / {english} ({masked_url(url)})")


def check_camera_url(url: str) -> None:
    """Raise SourceError when the URL can't be that of a camera."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("rtsp", "rtsps") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, a broken IPv6 host
        valid = False
    if not valid:
        raise unsupported(
            url,
            "地址无法使用，应为 rtsp://主机[:端口]/路径 或文件路径",
            "not a usable address; allowed: rtsp://host[:port]/path, rtsps://… or a file path",
        )


_Errors = tuple[type[av.FFmpegError], ...]
_OPENING: tuple[tuple[_Errors, CameraState, str, str], ...] = (
    (
        (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError),
        "unauthorised",
        "摄像机拒绝登录，请核对地址中的用户名和密码",
        "the camera turns the login away; check user and password in its URL",
    ),
    (
        (av.error.HTTPNotFoundError,),
        "unreachable",
        "摄像机在线，但没有这个码流路径（404），请核对通道号",
        "the camera answers but doesn't know this path (404); check the channel",
    ),
    (
        (av.error.ConnectionRefusedError,),
        "unreachable",
        "连接被拒绝，请核对端口，或设备的 RTSP 服务未开启",
        "connection refused; check the port, or switch RTSP on in the device",
    ),
    (
        (av.error.HTTPError,),
        "unsupported",
        "摄像机拒绝了请求，请核对码流设置",
        "the camera refuses the request; check its stream settings",
    ),
    (
        (
            av.error.DecoderNotFoundError,
            av.error.PatchWelcomeError,
            av.error.ProtocolNotFoundError,
            av.error.OptionNotFoundError,
            av.error.ArgumentError,
        ),
        "unsupported",
        "码流格式或地址不受支持，请改用 H.264 或 H.265",
        "this kind of stream or address isn't supported; set H.264 or H.265",
    ),
)


def opening_error(error: BaseException, url: str, *, took_s: float, limit_s: float) -> SourceError:
    """Why a camera could not be opened."""
    for kinds, state, chinese, english in _OPENING:
        if isinstance(error, kinds):
            return _error(state, url, chinese, english)
    # FFmpeg reports a server that never answers as invalid data; the time tells.
    if took_s >= 0.9 * limit_s or isinstance(error, (av.error.ExitError, TimeoutError)):
        return unreachable(
            url,
            f"{took_s:.0f} 秒内没有应答，请检查供电、网络或重启设备",
            f"no answer within {took_s:.0f} s; check power and network, or restart the device",
        )
    return _diagnosed(url)


def reading_error(error: BaseException, url: str, *, silent_s: float) -> SourceError:
    """Why a camera that was open delivers no more."""
    if isinstance(error, (av.error.ExitError, TimeoutError)):
        return stalled(
            url,
            f"{silent_s:.0f} 秒没有收到画面，请检查设备和线路",
            f"nothing received for {silent_s:.0f} s; check the device and its line",
        )
    if isinstance(error, (av.error.DecoderNotFoundError, av.error.PatchWelcomeError)):
        return unsupported(
            url,
            "视频编码不受支持，请改用 H.264 或 H.265",
            "its video codec isn't supported; set H.264 or H.265",
        )
    return ended(url)


def ended(url: str) -> SourceError:
    return unreachable(
        url, "码流中断，摄像机关闭了连接", "the stream ended: the camera closed the connection"
    )


def _diagnosed(url: str) -> SourceError:
    """Look for what FFmpeg doesn't say: the name, the connection, or what answers there."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _DEFAULT_PORT
    try:
        socket.getaddrinfo(host, port)
    except (OSError, UnicodeError):
        return unreachable(
            url,
            "主机名无法解析，请核对地址或 DNS",
            "the host name doesn't resolve; check the address or DNS",
        )
    with suppress(OSError), socket.create_connection((host, port), _PROBE_TIMEOUT_S) as peer:
        answer = b""
        with suppress(OSError):
            peer.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            peer.settimeout(_PROBE_TIMEOUT_S)
            answer = peer.recv(16)
        if answer and not answer.startswith(b"RTSP/") and parts.scheme == "rtsp":
            return unsupported(
                url,
                "该端口有应答，但不是 RTSP 服务，请核对端口",
                "something answers on this port, but it doesn't speak RTSP; check the port",
            )
        return unreachable(
            url,
            "摄像机接受连接后随即断开或应答有误，请重启设备或减少同时连接数",
            "the camera closes the connection or answers wrongly; restart it or watch it less",
        )
    return unreachable(
        url, "连接不上，请检查供电和网络", "can't be reached; check power and network"
    )


def footage_error(error: BaseException, path: Path) -> FootageError:
    """Why a file can't be read as video. FFmpeg's reason is passed on: no secrets in a path."""
    match error:
        case FileNotFoundError():
            return FootageError("文件不存在 / no such file", file=path, allowed=VIDEO_FILES)
        case IsADirectoryError():
            return FootageError(
                "不是文件 / not a file", file=path, found="a directory", allowed=VIDEO_FILES
            )
        case PermissionError():
            return FootageError(
                "没有读取权限 / may not be read", file=path, allowed="a file this user may read"
            )
    if path.is_file() and path.stat().st_size == 0:
        return FootageError("空文件 / is empty", file=path, found="0 bytes", allowed=VIDEO_FILES)
    reason = getattr(error, "strerror", None) or type(error).__name__
    return FootageError(
        "无法作为视频读取，文件已损坏、不完整或不是视频 / damaged, incomplete or not a video",
        file=path,
        found=reason,
        allowed=VIDEO_FILES,
    )
