"""The recipients of the settings, each with its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.settings_notify import RecipientSettings
from pipeline.tickets.notify.cap import CapFolder, CapHook, CapWriter
from pipeline.tickets.notify.http import Poster
from pipeline.tickets.notify.mail import Mail
from pipeline.tickets.notify.robots import DingTalk, Feishu, WeCom
from pipeline.tickets.notify.webhook import Webhook

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.tickets.notify.message import Channel

CAP_FILES = "cap-files"
"""The recipient that is there without settings; no name of the settings holds a hyphen."""

_MOST_EVENTS = 1000  # of one message; more than waits after a flood of a whole town


_ROBOTS: dict[str, type[DingTalk | WeCom | Feishu]] = {
    "dingtalk": DingTalk,
    "wecom": WeCom,
    "feishu": Feishu,
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """``most`` events become one message; CAP documents stand each for themselves."""

    name: str
    settings: RecipientSettings
    channel: Channel
    most: int

    @property
    def alone(self) -> bool:
        """Whether nothing is gathered for it."""
        return self.most == 1


def recipients_of(settings: Settings) -> dict[str, Recipient]:
    """By name, in the order of the settings."""
    listed = dict(settings.notify.recipients)
    if settings.notify.cap.file:
        listed[CAP_FILES] = RecipientSettings(way="cap_file")
    return {
        name: Recipient(
            name,
            one,
            _channel(one, settings),
            1 if one.way in ("cap", "cap_file") else _MOST_EVENTS,
        )
        for name, one in listed.items()
    }


def _channel(one: RecipientSettings, settings: Settings) -> Channel:
    notify = settings.notify
    writer = CapWriter(notify.cap, settings.console.url)
    if one.way == "cap_file":
        return CapFolder(settings.data_dir / "cap", writer)
    if one.way == "email":
        assert notify.smtp is not None, "the settings ask for it"
        return Mail(notify.smtp, one.to, allow=notify.networks, timeout_s=notify.timeout_s)
    poster = Poster(notify.networks, notify.timeout_s)
    url = "" if one.url is None else one.url.get_secret_value()
    secret = None if one.secret is None else one.secret.get_secret_value()
    if one.way in _ROBOTS:
        return _ROBOTS[one.way](poster, url, secret)
    if one.way == "cap":
        return CapHook(poster, url, secret or "", writer)
    return Webhook(poster, url, secret or "")
