"""Settings of notifications: who hears of what, by which way, and when not.

URLs of robots carry their key, so every URL and password here is secret: it stands in no log, no
error and no table. Each may come from the environment instead of the file, for instance
``GRIDWATCH_NOTIFY__RECIPIENTS__EAST__SECRET``.
"""

from __future__ import annotations

import re
from datetime import time
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from pipeline.settings_base import Seconds, Section

Role = Literal["member", "head", "command", "emergency", "operator"]
TicketEventName = Literal[
    "queued",
    "remind",
    "overdue",
    "escalated",
    "returned",
    "rework",
    "reopened",
    "regraded",
    "fed_back",
    "closed",
    "rejected",
    "emergency",
]
EventName = Literal[TicketEventName, "camera_fault", "camera_well", "backlog", "backlog_gone"]
Way = Literal["webhook", "dingtalk", "wecom", "feishu", "email", "cap", "cap_file"]

_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\]+@[^\s@<>,;:\"\\]+")
# The CAP standard keeps these out of what its messages refer to each other by.
_CAP_NAME = re.compile(r"[^\s,<&]+")


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError('networks such as "10.0.0.0/8", "192.168.1.20/32" or "fd00::/8"') from None
    return text


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError('a mail address such as "head@example.org"')
    return text


def _cap_name(text: str) -> str:
    if not _CAP_NAME.fullmatch(text):
        raise ValueError("text without spaces, commas, < and &")
    return text


def web_address(text: str | None) -> str | None:
    if text is not None and urlsplit(text).scheme not in ("http", "https"):
        raise ValueError("an address that begins with http:// or https://")
    return text if text is None else text.rstrip("/")


def _of_the_day(value: object) -> object:
    """YAML reads an unquoted 22:00 as the number 1320, by the base of sixty."""
    if type(value) is int and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    return value


TimeOfDay = Annotated[time, BeforeValidator(_of_the_day)]


class QuietSettings(Section):
    """Hours in which only what is gravest is sent; the rest waits for their end."""

    begins: TimeOfDay = Field(description='local time, e.g. "22:00"')
    ends: TimeOfDay = Field(
        description='local time, e.g. "07:00"; the next day where it is earlier'
    )


class RecipientSettings(Section):
    """One that is told: a person, a group's robot or another system."""

    way: Way = Field(description="webhook (JSON), dingtalk, wecom, feishu, email, cap, cap_file")
    url: SecretStr | None = Field(None, description="where it is sent; all but email and cap_file")
    secret: SecretStr | None = Field(
        None, description="signs what is sent: webhook, cap, dingtalk, feishu"
    )
    to: list[Annotated[str, AfterValidator(_address)]] = Field(
        default_factory=list, max_length=50, description="mail addresses"
    )
    role: Role = Field("head", description="decides which events it is told, unless events says")
    events: list[EventName] | None = Field(None, description="which events; null: by the role")
    grids: list[str] = Field(
        default_factory=list, description="codes of grids whose tickets it is told of; empty: all"
    )
    levels: list[Literal[1, 2, 3]] = Field(
        default_factory=list, description="levels of grids likewise; empty: all"
    )
    least: Literal["notice", "warning", "emergency"] = Field(
        "notice", description="tickets less severe than this are not told"
    )
    quiet: QuietSettings | None = Field(None, description="hours in which only the gravest comes")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.way == "email":
            if not self.to:
                raise ValueError("an email recipient needs to: [address]")
        elif self.way == "cap_file":
            return self
        elif self.url is None:
            raise ValueError(f"a {self.way} recipient needs a url")
        elif urlsplit(self.url.get_secret_value()).scheme not in ("http", "https"):
            raise ValueError("a url that begins with http:// or https://")
        if self.way in ("webhook", "cap") and self.secret is None:
            raise ValueError(f"a {self.way} recipient needs a secret that signs what is sent")
        return self


class SmtpSettings(Section):
    """The mail server that takes what goes out."""

    host: str = Field(min_length=1, description="its name")
    port: int = Field(587, ge=1, le=65535, description="587 for starttls, 465 for tls")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="none only for a server on this machine or a network of your own"
    )
    ca_file: Path | None = Field(None, description="PEM file of certificates to trust; null: usual")
    user: str | None = Field(None, description="null: without a login")
    password: SecretStr | None = Field(None, description="of user")
    sender: Annotated[str, AfterValidator(_address)] = Field(description="address it comes from")

    @model_validator(mode="after")
    def _login_in_the_open(self) -> Self:
        if self.security == "none" and self.user is not None:
            raise ValueError("security: starttls or tls, where a password is sent")
        return self


class CapSettings(Section):
    """What the CAP 1.2 documents of emergencies say of their sender."""

    sender: Annotated[str, AfterValidator(_cap_name)] = Field(
        "gridwatch.local", description="names the sender for good: an internet domain of the town's"
    )
    sender_name: str = Field(
        "豫龙镇网格化指挥中心", min_length=1, description="the sender as people call it"
    )
    status: Literal["Actual", "Exercise", "System", "Test", "Draft"] = Field(
        "Actual", description="Exercise or Test where nobody is to act upon what is found"
    )
    scope: Literal["Public", "Restricted"] = Field(
        "Restricted", description="for everybody, or for those whom restriction names"
    )
    restriction: str = Field(
        "应急办公室及其通知的人员 / the emergency office and whom it tells",
        min_length=1,
        description="who may read a document of scope Restricted",
    )
    file: bool = Field(True, description="also write each document to data_dir/cap")
    expires_h: float = Field(24.0, gt=0, le=7 * 24, description="hours until a document expires")


Name = Annotated[str, Field(pattern=rf"^{_NAME.pattern}$", max_length=40)]


class NotifySettings(Section):
    """Who is told what happens to tickets, cameras and boxes."""

    recipients: dict[Name, RecipientSettings] = Field(
        default_factory=dict, description="by a name of small letters, digits and single _"
    )
    smtp: SmtpSettings | None = Field(None, description="needed by email recipients")
    cap: CapSettings = CapSettings()
    allow: list[Annotated[str, AfterValidator(_network)]] = Field(
        default_factory=list,
        description="private networks that may be sent to; the internet always may",
    )
    gather_s: Seconds = Field(5.0, description="what comes within this becomes one message")
    urgent_gather_s: Seconds = Field(0.5, le=10, description="likewise, for what is gravest")
    pace_s: Seconds = Field(3.0, description="messages of a recipient are at least this apart")
    timeout_s: Seconds = Field(10.0, gt=0, le=60, description="longest a delivery may take")
    retry_first_s: Seconds = Field(5.0, gt=0, description="upper bound of the first retry wait")
    retry_most_s: Seconds = Field(900.0, gt=0, description="upper bound of any retry wait")
    urgent_retry_most_s: Seconds = Field(60.0, gt=0, description="likewise, for what is gravest")
    give_up_s: Seconds = Field(86400.0, description="after this it goes to the dead letters")
    keep_events_s: Seconds = Field(6 * 3600.0, description="events stay readable for this long")
    camera_fault_s: Seconds = Field(
        300.0, description="a camera's fault is told when it has lasted for this long"
    )
    backlog: int = Field(100, ge=1, description="so many incidents waiting on a box are told")

    @model_validator(mode="after")
    def _mail_server(self) -> Self:
        mail = [name for name, one in self.recipients.items() if one.way == "email"]
        if mail and self.smtp is None:
            raise ValueError(f"notify.smtp, which {mail[0]} needs")
        return self

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """``allow`` as networks."""
        return tuple(map(ip_network, self.allow))
