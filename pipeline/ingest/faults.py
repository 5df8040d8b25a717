"""From FFmpeg's errors to ours: what is wrong with a camera or file, and what to do about it.

FFmpeg puts the URL, password included, into its messages; none of its text about a camera is
passed on. Sentences are Chinese first, English beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av

from pipeline.errors import FootageError, SourceError
from pipeline.ingest import diagnosis
from pipeline.town import masked_url

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.ingest.diagnosis import Finding
    from pipeline.ingest.state import CameraState
    from pipeline.ingest.tls import Trust

VIDEO_FILES = "a video file (MP4, MKV, AVI, MPEG-TS, FLV or raw H.264/H.265)"


def unreachable(url: str, chinese: str, english: str) -> SourceError:
    return _error("unreachable", url, chinese, english)


def stalled(url: str, chinese: str, english: str) -> SourceError:
    return _error("stalled", url, chinese, english)


def unsupported(url: str, chinese: str, english: str) -> SourceError:
    return _error("unsupported", url, chinese, english)


def _error(
    state: CameraState, url: str, chinese: str, english: str, *, of_host: bool = False
) -> SourceError:
    # What concerns the device is said to all cameras that wait for it: without one's own path.
    shown = masked_url(url)
    shown = "/".join(shown.split("/")[:3]) if of_host else shown
    return SourceError(state, f"{chinese} / {english} ({shown})", of_host=of_host)


def _found(finding: Finding, url: str) -> SourceError:
    return _error(finding.state, url, finding.chinese, finding.english, of_host=finding.of_host)


def check_camera_url(url: str) -> None:
    """Raise SourceError when the URL can't be that of a camera."""
    try:
        parts = urlsplit(url)
        scheme = parts.scheme
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, a broken IPv6 host
        scheme, valid = url.partition("://")[0].lower(), False
    if scheme not in ("rtsp", "rtsps"):
        raise unsupported(
            url,
            "地址类型不支持，应以 rtsp:// 或 rtsps:// 开头，或为文件路径",
            "not an address of a camera; allowed: rtsp://, rtsps:// or a file path",
        )
    if valid:
        return
    if diagnosis.is_unescaped(url):
        raise _found(diagnosis.UNESCAPED, url)
    raise unsupported(
        url,
        "地址无法使用，应为 rtsp://主机[:端口]/路径 或文件路径",
        "not a usable address; allowed: rtsp://host[:port]/path, rtsps://… or a file path",
    )


def check_codec(name: str | None, url: str) -> None:
    """Raise SourceError when a stream's pictures aren't worth asking for, or nobody knows them."""
    if name is None:
        raise unsupported(
            url,
            "视频编码无法识别，请在摄像机中改用 H.264 或 H.265",
            "nobody knows this video codec; set H.264 or H.265 in the camera",
        )
    if name == "mjpeg":
        raise unsupported(
            url,
            "码流为 MJPEG，请在摄像机中改用 H.264 或 H.265（或换用这样的子码流）",
            "this is an MJPEG stream; set H.264 or H.265 in the camera, or use a stream that is",
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
        (
            av.error.HTTPOtherClientError,
            av.error.HTTPTooManyRequestsError,
            av.error.HTTPServerError,
        ),
        "unreachable",
        "设备暂不能提供码流，可能连接数已满，请减少观看者或在 ingest.hosts 中设 sessions",
        "the device can't serve this stream now, all may be taken; set sessions in ingest.hosts",
    ),
    (
        (av.error.HTTPError, av.error.HTTPClientError),
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


def opening_error(
    error: BaseException, url: str, *, took_s: float, limit_s: float, trust: Trust
) -> SourceError:
    """Why a camera could not be opened. May ask the device itself, for a few seconds."""
    if isinstance(error, av.error.ConnectionRefusedError):
        return _found(diagnosis.REFUSED, url)
    for kinds, state, chinese, english in _OPENING:
        if isinstance(error, kinds):
            return _error(state, url, chinese, english)
    # FFmpeg reports a server that never answers as invalid data; the time tells.
    if took_s >= 0.9 * limit_s or isinstance(error, (av.error.ExitError, TimeoutError)):
        return _unanswered(url, took_s)
    return _found(diagnosis.diagnose(url, trust), url)


def _unanswered(url: str, took_s: float) -> SourceError:
    if diagnosis.accepts(url):
        return unreachable(
            url,
            f"设备接受连接，但 {took_s:.0f} 秒内没有应答，请重启设备",
            f"the device takes the connection, but gives no answer within {took_s:.0f} s; "
            "restart it",
        )
    return _error(
        "unreachable",
        url,
        f"{took_s:.0f} 秒内没有应答，请检查供电和网络",
        f"no answer within {took_s:.0f} s; check power and network",
        of_host=True,
    )


def reading_error(error: BaseException | None, url: str, *, silent_s: float) -> SourceError:
    """Why a camera that was open delivers no more. No ``error``: its stream has ended."""
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
    what = getattr(error, "strerror", None)
    if what is not None and not isinstance(error, (EOFError, ConnectionError)):
        # FFmpeg's own words for the error's number; there is no address in them.
        return unreachable(url, f"码流中断({what})", f"the stream broke off: {what}")
    return ended(url)


def ended(url: str) -> SourceError:
    return unreachable(
        url, "码流中断，摄像机关闭了连接", "the stream ended: the camera closed the connection"
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
