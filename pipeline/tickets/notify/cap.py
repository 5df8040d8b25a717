"""CAP 1.2 documents (OASIS Common Alerting Protocol) of emergencies.

A document is made from its event alone, so whichever box makes it, and however often, it is the
same. docs/notifications.md says what our severities and kinds become.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pipeline.errors import NotifyError
from pipeline.tickets.event_wire import AlertPart, TicketEvent, carried_on_by
from pipeline.tickets.notify.compose import plain
from pipeline.tickets.notify.webhook import signed_headers

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.settings_notify import CapSettings
    from pipeline.tickets.notify.http import Poster
    from pipeline.tickets.notify.message import Message
    from pipeline.tickets.ticket import Source
    from pipeline.tickets.wire import TicketMessage

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
CONTENT_TYPE = "application/cap+xml; charset=utf-8"

_CHINA = timezone(timedelta(hours=8))
_SEVERITY = {"notice": "Minor", "warning": "Severe", "emergency": "Extreme"}
_CATEGORY = {
    "road_collapse": ("Infra", "Transport"),
    "road_damage": ("Infra", "Transport"),
    "blockage": ("Transport",),
    "crowd": ("Security", "Safety"),
}
_INSTRUCTION = {
    "zh-CN": "核实现场并设置警示,必要时封闭道路、疏散人员。",
    "en": "Check the place and put up a warning; close the road or lead people away where needed.",
}
_OVER = {"zh-CN": "无需再采取行动。", "en": "Nothing more has to be done."}
_CARRIED_ON = {
    "zh-CN": "未解除,由案卷 {ticket} 继续处置,以其通报为准。",
    "en": "Not over: ticket {ticket} carries it on; go by what is said of that.",
}
_FOUND_BY = {"video": "camera", "resident": "report of a resident", "staff": "report of staff"}
_LIKELY = 0.9  # summed evidence from which a finding counts as observed
_LEAST_KM = 0.01


@dataclass(frozen=True, slots=True)
class CapWriter:
    """``console_url``: see ConsoleSettings."""

    settings: CapSettings
    console_url: str | None

    def identifier(self, event: TicketEvent) -> str:
        """Of the document: the ticket's number and how many came before and with it."""
        return self._identifier(event, len(_alert(event).sent_at))

    def document(self, event: TicketEvent) -> bytes:
        """The document in UTF-8."""
        alert, settings = _alert(event), self.settings
        sent_at = alert.sent_at[-1]
        root = ET.Element("alert", xmlns=NAMESPACE)
        _put(root, "identifier", self.identifier(event))
        _put(root, "sender", settings.sender)
        _put(root, "sent", _time(sent_at))
        _put(root, "status", settings.status)
        _put(root, "msgType", alert.type)
        _put(root, "source", f"gridwatch: {_found_by(event.ticket)}")
        _put(root, "scope", settings.scope)
        if settings.scope == "Restricted":
            _put(root, "restriction", plain(settings.restriction))
        if alert.type != "Alert":
            if event.step.note:
                _put(root, "note", plain(event.step.note))
            _put(root, "references", self._references(event))
        _put(root, "incidents", event.ticket.ticket_id)
        for language in ("zh-CN", "en"):
            self._info(root, event, language, sent_at)
        ET.indent(root)
        text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return text + b"\n"

    def _identifier(self, event: TicketEvent, number: int) -> str:
        return f"{event.ticket.ticket_id}-{number}"

    def _references(self, event: TicketEvent) -> str:
        """All earlier documents of the case: "sender,identifier,sent" each."""
        return " ".join(
            f"{self.settings.sender},{self._identifier(event, number)},{_time(sent_at)}"
            for number, sent_at in enumerate(_alert(event).sent_at[:-1], 1)
        )

    def _info(self, root: ET.Element, event: TicketEvent, language: str, sent_at: float) -> None:
        ticket, zh = event.ticket, language == "zh-CN"
        name = plain(ticket.name_zh if zh else ticket.name_en)
        info = ET.SubElement(root, "info")
        _put(info, "language", language)
        for category in _CATEGORY[ticket.hazard]:
            _put(info, "category", category)
        _put(info, "event", name)
        response, urgency, instruction = _to_do(event, language)
        _put(info, "responseType", response)
        _put(info, "urgency", urgency)
        _put(info, "severity", _SEVERITY[ticket.severity])
        _put(info, "certainty", _certainty(event))
        _pair(info, "eventCode", "gridwatch:event_code", ticket.event_code)
        _put(info, "onset", _time(ticket.detected_at.timestamp()))
        _put(info, "expires", _time(sent_at + self.settings.expires_h * 3600))
        _put(info, "senderName", plain(self.settings.sender_name))
        _put(info, "headline", _headline(event, name, zh=zh))
        _put(info, "description", plain(ticket.description_zh if zh else ticket.description_en))
        _put(info, "instruction", instruction)
        if self.console_url is not None:
            _put(info, "web", f"{self.console_url}/tickets/{ticket.ticket_id}")
        _pair(info, "parameter", "gridwatch:state", ticket.state)
        if ticket.camera_id:
            _pair(info, "parameter", "gridwatch:camera_id", plain(ticket.camera_id))
        _pair(info, "parameter", "gridwatch:department", plain(ticket.department))
        area = ET.SubElement(info, "area")
        _put(area, "areaDesc", plain(ticket.address) or ticket.grid.code)
        _put(area, "circle", _circle(ticket))
        _pair(area, "geocode", "gridwatch:grid", ticket.grid.code)


class CapHook:
    """A webhook that takes the documents, signed like every webhook."""

    def __init__(self, poster: Poster, url: str, secret: str, writer: CapWriter) -> None:
        self._poster = poster
        self._url = url
        self._secret = secret
        self._writer = writer

    def send(self, message: Message, now: float) -> None:
        """See Channel.send; of each message one document."""
        for event in message.events:
            if isinstance(event, TicketEvent):
                body, name = self._writer.document(event), self._writer.identifier(event)
                headers = signed_headers(self._secret, name, body, now)
                self._poster.post(self._url, body, {"Content-Type": CONTENT_TYPE} | headers)


class CapFolder:
    """``folder/YYYY/MM/DD/<identifier>.xml``, by the day in UTC on which it was sent."""

    def __init__(self, folder: Path, writer: CapWriter) -> None:
        self._folder = folder
        self._writer = writer

    def send(self, message: Message, now: float) -> None:  # noqa: ARG002 - the documents say when
        """See Channel.send. A document is there as a whole or not at all."""
        for event in message.events:
            if isinstance(event, TicketEvent):
                day = datetime.fromtimestamp(_alert(event).sent_at[-1], UTC)
                path = self._folder / f"{day:%Y/%m/%d}" / f"{self._writer.identifier(event)}.xml"
                try:
                    _write(path, self._writer.document(event))
                except OSError as error:
                    raise NotifyError(f"{path.parent}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _alert(event: TicketEvent) -> AlertPart:
    if event.alert is None:
        raise ValueError(f"the event {event.event} is no alert")
    return event.alert


def _to_do(event: TicketEvent, language: str) -> tuple[str, str, str]:
    """The response type, the urgency and the instruction."""
    other = carried_on_by(event)
    if other is not None:  # nobody must take it for an all-clear
        return "Monitor", "Unknown", _CARRIED_ON[language].format(ticket=other)
    if _alert(event).over:
        return "AllClear", "Past", _OVER[language]
    return "Assess", "Immediate", _INSTRUCTION[language]


def _certainty(event: TicketEvent) -> str:
    if carried_on_by(event) is not None:
        return "Unknown"
    if event.ticket.state == "rejected":
        return "Unlikely"
    if set(_sources(event.ticket)) == {"resident"}:
        return "Likely"  # nobody of the town, and no camera, has seen it yet
    return "Observed" if event.ticket.score >= _LIKELY else "Likely"


def _sources(ticket: TicketMessage) -> list[Source]:
    return ticket.sources or [ticket.source]


def _found_by(ticket: TicketMessage) -> str:
    return ", ".join(_FOUND_BY[source] for source in _sources(ticket))


def _headline(event: TicketEvent, name: str, *, zh: bool) -> str:
    """At most 160 characters, as the standard advises."""
    words = {
        "Alert": ("应急", "Emergency"),
        "Update": ("应急更新", "Emergency, update"),
        "Cancel": ("应急解除", "Emergency called off"),
    }[_alert(event).type]
    if _alert(event).over and event.ticket.state == "closed":
        words = ("应急结束", "Emergency over")
    other = carried_on_by(event)
    if other is not None:
        words = (f"应急转入案卷 {other}", f"Emergency carried on by {other}")
    return f"{words[0] if zh else words[1]}: {name}, {plain(event.ticket.address)}"[:160]


def _circle(ticket: TicketMessage) -> str:
    """As "lat,lon km", WGS-84; the radius within which the truth is expected."""
    place = ticket.place
    radius_km = max(place.radius_m / 1000, _LEAST_KM)
    return f"{place.lat:.6f},{place.lon:.6f} {radius_km:.3f}"


def _time(unix_s: float) -> str:
    """The standard wants whole seconds and an offset in numbers."""
    return datetime.fromtimestamp(int(unix_s), _CHINA).isoformat()


def _put(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _pair(parent: ET.Element, element: str, name: str, value: str) -> None:
    pair = ET.SubElement(parent, element)
    _put(pair, "valueName", name)
    _put(pair, "value", value)
