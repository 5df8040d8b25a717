"""Robots of group chats: DingTalk (钉钉), WeCom (企业微信) and Feishu (飞书).

Each takes a POST of JSON at a URL that holds its key, and answers 200 even when it refuses: what
counts is the code in the answer. The forms are those of the makers' public documentation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from pipeline.errors import NotifyError

if TYPE_CHECKING:
    from pipeline.tickets.notify.http import Poster
    from pipeline.tickets.notify.message import Message

# Bytes of text that a robot takes; DingTalk and Feishu count the whole body, of 20,000 and 20 KiB.
_MOST_BYTES = {"dingtalk": 16_000, "feishu": 16_000, "wecom": 2_048}
# The answer's code for "too often" or "busy": later it may be taken.
_LATER = {
    "dingtalk": {-1, 130101, 410100},
    "wecom": {-1, 45009, 45033},
    "feishu": {9499, 11232, 99991400},
}
_CUT = "\n……"


def fitting(text: str, most_bytes: int) -> str:
    """The text, cut between two characters so that it fits in UTF-8."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    kept = data[: most_bytes - len(_CUT.encode())].decode(errors="ignore")
    return kept + _CUT


def dingtalk_sign(secret: str, timestamp_ms: int) -> str:
    r"""HMAC-SHA256 with the secret of "<ms>\n<secret>", base64."""
    mac = hmac.new(secret.encode(), f"{timestamp_ms}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def feishu_sign(secret: str, timestamp_s: int) -> str:
    r"""HMAC-SHA256 of nothing with "<s>\n<secret>" as the key, base64."""
    mac = hmac.new(f"{timestamp_s}\n{secret}".encode(), b"", hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


class _Robot(ABC):
    name = ""

    def __init__(self, poster: Poster, url: str, secret: str | None) -> None:
        self._poster = poster
        self._url = url
        self._secret = secret

    def send(self, message: Message, now: float) -> None:
        """See Channel.send."""
        text = fitting(message.text, _MOST_BYTES[self.name])
        url, body = self._request(text, now)
        data = json.dumps(body, ensure_ascii=False).encode()
        answer = self._poster.post(url, data, {"Content-Type": "application/json; charset=utf-8"})
        code = self._code(_parsed(answer, self.name))
        if code != 0:
            raise NotifyError(
                f"the {self.name} robot refuses with code {code}", again=code in _LATER[self.name]
            )

    @abstractmethod
    def _request(self, text: str, now: float) -> tuple[str, dict[str, Any]]:
        """Where to send this text, and as what JSON."""

    def _code(self, answer: dict[str, Any]) -> int | None:
        return _number(answer.get("errcode"))


class DingTalk(_Robot):
    """The signature stands in the URL."""

    name = "dingtalk"

    def _request(self, text: str, now: float) -> tuple[str, dict[str, Any]]:
        url = self._url
        if self._secret is not None:
            ms = int(now * 1000)
            query = urlencode({"timestamp": ms, "sign": dingtalk_sign(self._secret, ms)})
            url += ("&" if urlsplit(url).query else "?") + query
        return url, {"msgtype": "text", "text": {"content": text}}


class WeCom(_Robot):
    """Knows no signature: its URL is the secret."""

    name = "wecom"

    def _request(self, text: str, now: float) -> tuple[str, dict[str, Any]]:  # noqa: ARG002
        return self._url, {"msgtype": "text", "text": {"content": text}}


class Feishu(_Robot):
    """The signature stands in the body."""

    name = "feishu"

    def _request(self, text: str, now: float) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if self._secret is not None:
            second = int(now)
            body |= {"timestamp": str(second), "sign": feishu_sign(self._secret, second)}
        return self._url, body

    def _code(self, answer: dict[str, Any]) -> int | None:
        return _number(answer.get("code", answer.get("StatusCode")))


def _parsed(answer: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotifyError(f"what answers is no {name} robot")
    return found


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
