"""JSON of version 1 of the API. A field may be added; anything else makes a version 2."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.console.accounts import Role, User
from pipeline.console.acting import LONGEST_NOTE
from pipeline.console.cards import is_overdue
from pipeline.console.context import Console
from pipeline.console.rules import steps_of
from pipeline.hazards.incident import Hazard, Severity
from pipeline.tickets import Ticket
from pipeline.tickets.transitions import Action, State
from pipeline.tickets.wire import GridPart, PlacePart, at


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Me(Part):
    """Who asks."""

    name: str
    role: Role
    grids: list[str] = Field(description="codes of the user's grids; none: the whole town")


class TicketRow(Part):
    """A ticket as it stands. Times are ISO 8601, UTC."""

    ticket_id: str
    hazard: Hazard
    kind: str | None
    name_zh: str
    name_en: str
    severity: Severity
    state: State
    place: PlacePart
    address: str
    grid: GridPart
    near_grids: list[str]
    department: str
    sources: list[str] = Field(description="who found it: video, resident, staff")
    camera_ids: list[str]
    count: int = Field(description="incidents and reports merged into it")
    filed_at: datetime
    accept_due_at: datetime
    handle_due_at: datetime
    overdue: bool
    version: int = Field(description="raised by every change; send it along with a step")
    actions: list[Action] = Field(description="steps that who asks may take now")


class StepRow(Part):
    """One line of the history."""

    at: datetime
    action: str
    state: State
    by: str
    note: str
    facts: dict[str, str]


class TicketWhole(TicketRow):
    """With its history and where its pictures are, the oldest first."""

    steps: list[StepRow]
    pictures: list[str] = Field(
        description="addresses; append /annotated, /plain, /thumb, or /clip, /after, /pair"
    )


class CameraRow(Part):
    """A camera and how it is."""

    camera_id: str
    name: str | None = None
    state: str
    why: str = ""
    since_at: datetime | None = None
    grid: str | None = None
    lon: float | None = None
    lat: float | None = None


class ActionBody(Part):
    """What comes with a step."""

    command_id: str = Field(
        pattern=r"^[A-Za-z0-9-]{8,64}$", description="sent twice, the step is taken once"
    )
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""
    version: int | None = Field(
        None, ge=0, description="the ticket's when it was decided; another by now: nothing is done"
    )


class Problem(Part):
    """Why something was refused."""

    error: str


class Geometry(Part):
    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[Any]


class GridProperties(Part):
    code: str
    name: str
    level: int
    kind: str
    own: bool = Field(description="whether it is a grid of who asks")


class GridFeature(Part):
    type: Literal["Feature"] = "Feature"
    geometry: Geometry
    properties: GridProperties


class GridCollection(Part):
    """GeoJSON, WGS-84."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[GridFeature]


_SAME = (
    "ticket_id",
    "hazard",
    "kind",
    "name_zh",
    "name_en",
    "severity",
    "state",
    "address",
    "department",
    "count",
    "version",
)


def ticket_row(ticket: Ticket, user: User, console: Console) -> TicketRow:
    return TicketRow(**_fields(ticket, user, console))


def ticket_whole(ticket: Ticket, user: User, console: Console) -> TicketWhole:
    return TicketWhole(
        **_fields(ticket, user, console),
        steps=[
            StepRow(
                at=at(step.at),
                action=step.action,
                state=step.state,
                by=step.by,
                note=step.note,
                facts=dict(step.facts),
            )
            for step in ticket.steps
        ],
        pictures=[
            f"/api/v1/tickets/{ticket.ticket_id}/pictures/{number}"
            for number in range(len(ticket.evidence))
        ],
    )


def _fields(ticket: Ticket, user: User, console: Console) -> dict[str, Any]:
    place, grids = ticket.place, console.desk.town.grids
    return {
        **{name: getattr(ticket, name) for name in _SAME},
        "place": PlacePart(
            lon=place.lon, lat=place.lat, radius_m=place.radius_m, method=place.method
        ),
        "grid": GridPart(code=ticket.grid_code, name=ticket.grid_name),
        "near_grids": list(ticket.near_grids),
        "sources": list(ticket.sources),
        "camera_ids": list(ticket.camera_ids),
        "filed_at": at(ticket.filed_at),
        "accept_due_at": at(ticket.accept_due_at),
        "handle_due_at": at(ticket.handle_due_at),
        "overdue": is_overdue(ticket, console.clock.now()),
        "actions": list(steps_of(user, ticket, grids)),
    }
