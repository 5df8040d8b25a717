"""Finds out what FFmpeg doesn't say of a camera that can't be opened: it goes and asks there.

FFmpeg says "invalid data" of a web server and "I/O error" of an expired certificate. What is found
is a camera state and what to do about it, Chinese first, without a word of the URL.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pipeline.ingest.state import CameraState
    from pipeline.ingest.tls import Trust

_TIMEOUT_S = 2.0
_PORTS = {"rtsp": 554, "rtsps": 322}
_QUESTIONS = (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n")
_TLS_ALERT = b"\x15\x03"


@dataclass(frozen=True, slots=True)
class Finding:
    """``of_host``: the device or the way to it fails, and with it all it serves."""

    state: CameraState
    chinese: str
    english: str
    of_host: bool = False


UNESCAPED = Finding(
    "unsupported",
    "用户名或密码中的特殊字符须转义：@ 写作 %40，: %3A，/ %2F，? %3F，# %23，[ %5B，] %5D，% %25",
    "special characters of user and password must be escaped: write @ as %40, : as %3A, / as %2F, "
    "? as %3F, # as %23, [ as %5B, ] as %5D, % as %25",
)
REFUSED = Finding(
    "unreachable",
    "连接被拒绝，请核对端口，或设备的 RTSP 服务未开启",
    "connection refused; check the port, or switch RTSP on in the device",
    of_host=True,
)
_NO_NAME = Finding(
    "unreachable",
    "主机名无法解析，请核对地址或 DNS",
    "the host name doesn't resolve; check the address or DNS",
    of_host=True,
)
_NO_WAY = Finding(
    "unreachable",
    "连接不上，请检查供电和网络",
    "can't be reached; check power and network",
    of_host=True,
)
_NOT_RTSP = Finding(
    "unsupported",
    "该端口有应答，但不是 RTSP 服务，请核对端口",
    "something answers on this port, but it doesn't speak RTSP; check the port",
)
_WEB = Finding(
    "unsupported",
    "该端口是网页服务（HTTP），不是 RTSP 服务，请改用 RTSP 端口（通常为 554）",
    "a web server (HTTP) answers on this port, it doesn't speak RTSP; use the RTSP port (mostly "
    "554)",
)
_IS_TLS = Finding(
    "unsupported",
    "该端口使用加密连接，请把地址改为 rtsps://",
    "this port wants an encrypted connection; write the address with rtsps://",
)
_NO_TLS = Finding(
    "unsupported",
    "该端口不支持加密连接，请改用 rtsp:// 或核对端口",
    "this port doesn't speak TLS; use rtsp:// or check the port",
)
_UNEASY = Finding(
    "unreachable",
    "摄像机接受连接后随即断开或应答有误，请重启设备或减少同时连接数",
    "the camera closes the connection or answers wrongly; restart it or watch it less",
)
_NO_CA_FILE = Finding(
    "unsupported",
    "受信任证书文件无法读取，请核对设置 ingest.tls.ca_file",
    "the file of trusted certificates can't be read; check the setting ingest.tls.ca_file",
)
_EXPIRED = Finding(
    "unsupported",
    "设备证书已过期，请在设备上更新证书，并核对本机时间",
    "its certificate has expired; renew it in the device, and check this box's clock",
)
_TOO_EARLY = Finding(
    "unsupported",
    "设备证书尚未生效，请核对本机和设备的时间",
    "its certificate isn't valid yet; check the clocks of this box and of the device",
)
_SELF_SIGNED = Finding(
    "unsupported",
    "设备证书为自签名，请把该证书加入 ingest.tls.ca_file，"
    "或在 ingest.hosts 中为该设备设 verify: false",
    "its certificate is self-signed; add it to the file ingest.tls.ca_file, or set verify: false "
    "for this device in ingest.hosts",
)
_STRANGER = Finding(
    "unsupported",
    "设备证书的签发机构不受信任，请把其根证书加入 ingest.tls.ca_file",
    "its certificate was issued by somebody this box doesn't trust; add the issuer's certificate "
    "to the file ingest.tls.ca_file",
)
_OTHER_NAME = Finding(
    "unsupported",
    "设备证书不是发给这个地址的，请在地址中使用证书上的名称，或更换证书",
    "its certificate is made out to another name; use that name in the URL, or renew the "
    "certificate",
)
_BAD_CERTIFICATE = Finding(
    "unsupported",
    "设备证书无效，请在设备上更换证书",
    "its certificate is no good; renew it in the device",
)
# By OpenSSL's numbers (X509_V_ERR_...).
_CERTIFICATES = {
    9: _TOO_EARLY,
    10: _EXPIRED,
    18: _SELF_SIGNED,
    19: _STRANGER,
    2: _STRANGER,
    20: _STRANGER,
    21: _STRANGER,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}


def is_unescaped(url: str) -> bool:
    """Whether user or password most likely holds what ends or breaks that part of a URL.

    Then an @ stands where a path should be, or there are brackets that belong to no address.
    """
    rest = url.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    login, at, _ = authority.rpartition("@")
    if at:
        return "[" in login or "]" in login
    return ":" in authority and "@" in rest


def accepts(url: str) -> bool:
    """Whether the device takes a connection at all."""
    try:
        _connected(url).close()
    except (OSError, UnicodeError):
        return False
    return True


def diagnose(url: str, trust: Trust) -> Finding:
    """Why this camera can't be opened: the name, the way, the certificate, or what answers."""
    try:
        connection = _connected(url)
    except (socket.gaierror, UnicodeError):
        return UNESCAPED if is_unescaped(url) else _NO_NAME
    except ConnectionRefusedError:
        return REFUSED
    except OSError:
        return _NO_WAY
    if urlsplit(url).scheme == "rtsps":
        return _diagnose_tls(connection, url, trust)
    with closing(connection):
        answer = _asked(connection, _QUESTIONS[0])
    answer = answer or _asked_anew(url)
    return _IS_TLS if not answer and _speaks_tls(url) else _meaning(answer)


def _diagnose_tls(connection: socket.socket, url: str, trust: Trust) -> Finding:
    try:
        context = trust.context()
    except OSError:
        connection.close()
        return _NO_CA_FILE
    try:
        with context.wrap_socket(connection, server_hostname=urlsplit(url).hostname) as encrypted:
            return _meaning(_asked(encrypted, _QUESTIONS[0]))
    except ssl.SSLCertVerificationError as error:
        return _CERTIFICATES.get(error.verify_code, _BAD_CERTIFICATE)
    except ssl.SSLError:
        return _NO_TLS
    except OSError:  # the peer went away, or never said hello
        return _NO_TLS if _asked_anew(url, _QUESTIONS[0]) else _UNEASY


def _connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    connection = socket.create_connection((parts.hostname or "", port), _TIMEOUT_S)
    connection.settimeout(_TIMEOUT_S)
    return connection


def _asked(connection: socket.socket, question: bytes) -> bytes:
    """How the answer begins; empty: there is none."""
    try:
        connection.sendall(question)
        return connection.recv(16)
    except OSError:
        return b""


def _asked_anew(url: str, question: bytes = _QUESTIONS[1]) -> bytes:
    try:
        connection = _connected(url)
    except OSError:
        return b""
    with closing(connection):
        return _asked(connection, question)


def _speaks_tls(url: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(_connected(url)).close()
    except OSError:
        return False
    return True


def _meaning(answer: bytes) -> Finding:
    if answer.startswith(b"HTTP/"):
        return _WEB
    if answer.startswith(_TLS_ALERT):
        return _IS_TLS
    return _NOT_RTSP if answer and not answer.startswith(b"RTSP/") else _UNEASY
