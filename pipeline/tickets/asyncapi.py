"""The AsyncAPI 3 document of what other systems may read from Redis: queues and events.

Published as docs/schema/asyncapi.yaml; made from the same models that write the messages.
"""

from __future__ import annotations

from typing import Any

import yaml

from pipeline.tickets.event_wire import schemas
from pipeline.tickets.wire import VERSION, schema

_MODELS = {"TicketMessage": "ticket", "TicketEvent": "ticketEvent"} | {
    "CameraEvent": "cameraEvent",
    "BacklogEvent": "backlogEvent",
}
_SUMMARIES = {
    "ticket": "A ticket as it entered a queue; it never changes",
    "ticketEvent": "What happened to a ticket, which is shown as it was right after",
    "cameraEvent": "A camera has been out of order for a while, or is well again",
    "backlogEvent": "Many incidents of a box wait for the desk, or no longer do",
}
_ENTRY = """A Redis stream. Each entry has the field `v`, the version of its form ("{version}"), and
the field `json`, the message described here as JSON in UTF-8. A field may be added within a
version, so ignore what you don't know. {more}"""
_QUEUE = """Read with the group `grid` and acknowledge what has been taken over; see
docs/tickets.md. An entry comes again when its reader died before it acknowledged."""
_EVENTS = """The group `notify` is the notifier's: make a group of your own, or read without one.
Events stay for `notify.keep_events_s`."""


_ROOT = {
    "default": "{gridwatch}",
    "description": "redis.prefix in braces, so that one slot of a cluster holds all keys: "
    "{gridwatch}:events",
}


def document() -> dict[str, Any]:
    """The document as plain values."""
    bodies = {"TicketMessage": schema()} | schemas()
    shared: dict[str, Any] = {}
    for body in bodies.values():
        shared |= body.get("$defs", {})
    components = {name: _local(body) for name, body in (shared | bodies).items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "gridwatch: queues and events",
            "version": VERSION,
            "description": "What waits for whom, and what happens to tickets, cameras and boxes. "
            "Times in queues are ISO 8601 in UTC, those of steps and cameras Unix seconds; places "
            "are WGS-84.",
            "license": {"name": "AGPL-3.0-only"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "redis": {
                "host": "{host}",
                "protocol": "redis",
                "protocolVersion": "6.2",
                "description": "the server of `redis.url`",
                "variables": {"host": {"default": "localhost:6379"}},
            }
        },
        "channels": {
            "queue": {
                "address": "{root}:queue:{grid}",
                "title": "队列 / queue of a grid",
                "description": _text(_ENTRY, _QUEUE),
                "parameters": {"root": _ROOT, "grid": {"description": "code of the grid"}},
                "messages": {"ticket": _ref("messages", "ticket")},
            },
            "emergencyQueue": {
                "address": "{root}:queue:emergency",
                "title": "应急队列 / queue of the emergency office",
                "description": _text(_ENTRY, _QUEUE)
                + " Holds the tickets whose duty calls for the office; a case that is over has an "
                "entry, with the state closed, rejected or merged, or without the mark `emergency` "
                "where a split took it away, only where one before was read.",
                "parameters": {"root": _ROOT},
                "messages": {"ticket": _ref("messages", "ticket")},
            },
            "events": {
                "address": "{root}:events",
                "title": "事件 / events",
                "description": _text(_ENTRY, _EVENTS),
                "parameters": {"root": _ROOT},
                "messages": {
                    name: _ref("messages", name) for name in _MODELS.values() if name != "ticket"
                },
            },
        },
        "operations": {
            "receiveTicket": _receive("queue", "take what waits for a grid"),
            "receiveEmergency": _receive("emergencyQueue", "take what the office must know"),
            "receiveEvent": _receive("events", "follow what happens"),
        },
        "components": {
            "schemas": components,
            "messages": {
                name: {
                    "name": name,
                    "summary": _SUMMARIES[name],
                    "contentType": "application/json",
                    "payload": _ref("schemas", model),
                    "examples": [{"payload": one} for one in bodies[model]["examples"]],
                }
                for model, name in _MODELS.items()
            },
        },
    }


def asyncapi_text() -> str:
    """The document as it is published."""
    return yaml.dump(document(), Dumper=_Plain, allow_unicode=True, sort_keys=False, width=100)


class _Plain(yaml.SafeDumper):
    """Without anchors: what stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
        return True


def _text(template: str, more: str) -> str:
    return " ".join(template.format(version=VERSION, more=more).split())


def _receive(channel: str, summary: str) -> dict[str, Any]:
    return {"action": "receive", "summary": summary, "channel": {"$ref": f"#/channels/{channel}"}}


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _local(body: dict[str, Any]) -> dict[str, Any]:
    """A schema whose definitions stand among the components."""
    kept = {
        name: value
        for name, value in body.items()
        if name not in ("$schema", "$id", "$defs", "examples")
    }
    moved: dict[str, Any] = _moved(kept)
    return moved


def _moved(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: one.replace("#/$defs/", "#/components/schemas/")
            if name == "$ref"
            else _moved(one)
            for name, one in value.items()
        }
    return [_moved(one) for one in value] if isinstance(value, list) else value
