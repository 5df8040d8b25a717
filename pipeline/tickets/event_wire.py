"""What the stream of events carries: what happened to a ticket, a camera or a box.

Every change of a ticket puts its event there in the same atomic step. A field may be added within
version 1, as for queues; docs/schema/asyncapi.yaml publishes both.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from pipeline.settings_notify import TicketEventName  # noqa: TC001 - read while running
from pipeline.tickets.wire import EXAMPLE, Part, TicketMessage


class StepPart(Part):
    """The step of the ticket's history that it is about."""

    at: float = Field(description="Unix seconds, UTC")
    by: str = Field(description="who took it; desk: the desk itself")
    note: str
    facts: dict[str, str] = Field(description="what belongs to it: limit, incident_id, ...")


class AlertPart(Part):
    """What the emergency office is told; the CAP document is made from it."""

    type: Literal["Alert", "Update", "Cancel"] = Field(description="msgType of CAP 1.2")
    over: bool = Field(description="the case is closed, rejected or part of another")
    sent_at: Annotated[list[float], Field(min_length=1)] = Field(
        description="Unix seconds of all messages about this ticket so far; the last is this one"
    )


class TicketEvent(Part):
    """Something happened to a ticket, which is shown as it was right after."""

    event: TicketEventName
    grid: str = Field(description="code of the grid it concerns: the queue's, else the owner's")
    alert: AlertPart | None = Field(description="with the event emergency alone")
    step: StepPart
    ticket: TicketMessage


class CameraEvent(Part):
    """A camera has been out of order for a good while, or is well again."""

    event: Literal["camera_fault", "camera_well"]
    at: float = Field(description="Unix seconds, UTC")
    camera_id: str
    name: str
    state: str = Field(description="of the camera, as `gridwatch cameras list` shows it")
    why: str
    since_at: float = Field(description="since when it is in this state, Unix seconds")


class BacklogEvent(Part):
    """Many incidents of a box wait for the desk, or no longer do."""

    event: Literal["backlog", "backlog_gone"]
    at: float = Field(description="Unix seconds, UTC")
    box: str = Field(description="host name of the box")
    waiting: int


Event = TicketEvent | CameraEvent | BacklogEvent
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def event_of(text: str) -> Event:
    """The event of an entry's ``json``; raises ValueError (pydantic's) for what is none."""
    return _ADAPTER.validate_json(text)


def carried_on_by(event: TicketEvent) -> str | None:
    """The ticket that has the emergency now, where one is called off because another has it."""
    if event.alert is None or event.alert.type != "Cancel" or event.ticket.state == "rejected":
        return None
    return event.step.facts.get("into")


def urgent(event: Event) -> bool:
    """Whether it waits for nothing: no quiet hours, no gathering."""
    return isinstance(event, TicketEvent) and (
        event.event == "emergency" or event.ticket.severity == "emergency"
    )


EXAMPLES: tuple[Event, ...] = (
    TicketEvent(
        event="emergency",
        grid=EXAMPLE.grid.code,
        alert=AlertPart(type="Alert", over=False, sent_at=[1795410001.0]),
        step=StepPart(at=1795410001.0, by="desk", note="", facts={"camera_id": EXAMPLE.camera_id}),
        ticket=EXAMPLE.model_copy(update={"emergency": True}),
    ),
    CameraEvent(
        event="camera_fault",
        at=1795410300.0,
        camera_id="cam-0042",
        name="某路口东",
        state="unreachable",
        why="connection refused",
        since_at=1795410000.0,
    ),
    BacklogEvent(event="backlog", at=1795410300.0, box="box-1", waiting=120),
)


def schemas() -> dict[str, Any]:
    """JSON Schemas by name, with examples; the definitions they share stand in each."""
    made = {}
    for example in EXAMPLES:
        schema = type(example).model_json_schema(mode="serialization")
        made[type(example).__name__] = {**schema, "examples": [example.model_dump(mode="json")]}
    return made
