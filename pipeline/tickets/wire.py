"""What a grid's queue carries: one JSON object per ticket, published as docs/schema/ticket-v1.json.

A field may be added within version 1; whatever else changes makes a version 2 beside it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pipeline.hazards.incident import Hazard, Severity
from pipeline.tickets.ticket import Source
from pipeline.tickets.transitions import State
from pipeline.town.place import PlaceMethod

VERSION = "1"

Unit = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    # Unknown fields are ignored, so that a reader of today understands a writer of tomorrow.
    model_config = ConfigDict(frozen=True, extra="ignore")


class PlacePart(Part):
    """Where it is."""

    lon: float = Field(description="degrees east", ge=-180, le=180)
    lat: float = Field(description="degrees north", ge=-90, le=90)
    datum: Literal["WGS-84"] = "WGS-84"
    radius_m: float = Field(description="the truth is expected within this radius (95 %)", ge=0)
    method: PlaceMethod = Field(description="how the place was found")


class GridPart(Part):
    """The grid that owns the ticket."""

    code: str = Field(description="网格编码")
    name: str


class EvidencePart(Part):
    """JPEG pictures with heads, windows of vehicles and number plates covered; below evidence/."""

    annotated: str = Field(description="with the hazard's box and a caption")
    plain: str = Field(description="without")
    clip: str | None = Field(None, description="MP4 (H.264) of the seconds before and after")
    after: str | None = Field(None, description="the picture in which the hazard is gone")
    pair: str | None = Field(None, description="the place before and after, side by side")


class TicketBody(Part):
    """What is known of a ticket before the desk has given it a number."""

    source: Source = Field(
        description="问题来源: video 视频智能发现, resident 居民上报, staff 人工上报"
    )
    hazard: Hazard
    kind: str | None = Field(None, description="of the hazard, where the list of duties tells some")
    event_code: str = Field(description="大类-小类")
    name_zh: str = Field(description="小类名称")
    name_en: str
    description_zh: str = Field(description="问题描述")
    description_en: str
    department: str = Field(description="责任部门")
    severity: Severity = Field(description="紧急程度")
    emergency: bool = Field(False, description="应急: the emergency office is told of it as well")
    place: PlacePart
    address: str = Field(description="位置描述")
    grid: GridPart = Field(description="责任网格")
    near_grids: list[str] = Field(description="codes of further grids within the place's radius")
    watchers: list[str] = Field(
        default_factory=list, description="codes of the grids that watch it: near ones, not owners"
    )
    micro_grid: str | None = Field(description="微网格 code: part of the address, not an owner")
    camera_id: str = Field(description="empty where somebody reported it without a camera")
    incident_id: str = Field(description="the camera's finding, or the report")
    box: tuple[Unit, Unit, Unit, Unit] = Field(
        description="x1, y1, x2, y2 in 0..1 of the picture; all of it where nobody drew one"
    )
    score: Unit = Field(description="summed evidence as a probability; 1 for what people report")
    model: str | None = Field(description="name of the detector")
    detected_at: datetime = Field(description="上报时间: when it was confirmed or reported")
    filed_at: datetime = Field(description="立案时间")
    accept_due_at: datetime = Field(description="受理时限")
    handle_due_at: datetime = Field(description="处置时限")
    evidence: EvidencePart | None = Field(description="现场照片")


class TicketMessage(TicketBody):
    """One ticket as it entered a grid's queue. Times are ISO 8601, UTC."""

    ticket_id: str = Field(description="案卷号", pattern=r"^[A-Z]+[0-9]{8}-[0-9]{6,}$")
    state: State = Field(description="filed: waits for review; dispatched: waits for the owner")
    count: int = Field(description="incidents and reports merged into it so far", ge=1)
    version: int = Field(0, description="of the ticket; every change raises it", ge=0)
    sources: list[Source] = Field(
        default_factory=list,
        description="where all of these came from; empty in entries of before there were reports",
    )


def at(unix_s: float) -> datetime:
    """Unix seconds as an aware UTC time."""
    return datetime.fromtimestamp(unix_s, UTC)


def at_json(unix_s: float) -> str:
    """The same as it stands in a message."""
    text: str = TypeAdapter(datetime).dump_python(at(unix_s), mode="json")
    return text


EXAMPLE = TicketMessage(
    ticket_id="YL20261123-000123",
    state="dispatched",
    count=1,
    version=2,
    sources=["video", "resident"],
    source="video",
    hazard="road_collapse",
    event_code="04-01",
    name_zh="路面塌陷",
    name_en="road collapse",
    description_zh="视频智能发现路面塌陷",
    description_en="road collapse found by camera",
    department="城市管理",
    severity="emergency",
    place=PlacePart(lon=113.4451, lat=34.7852, radius_m=3.5, method="pose"),
    address="豫龙镇某网格，摄像机 cam-0042 画面内",
    grid=GridPart(code="410182102001007", name="某村第七网格"),
    near_grids=["410182102001008"],
    watchers=["410182102001008"],
    micro_grid=None,
    camera_id="cam-0042",
    incident_id="0f3c5a9b7d1e24680ace",
    box=(0.41, 0.55, 0.52, 0.61),
    score=0.93,
    model="street-n",
    detected_at=at(1795410000),
    filed_at=at(1795410001),
    accept_due_at=at(1795413601),
    handle_due_at=at(1795496401),
    evidence=EvidencePart(
        annotated="2026/11/23/0f3c5a9b7d1e24680ace-annotated.jpg",
        plain="2026/11/23/0f3c5a9b7d1e24680ace-plain.jpg",
    ),
)


def schema() -> dict[str, Any]:
    """The JSON Schema of :class:`TicketMessage`, with an example."""
    made = TicketMessage.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"ticket-v{VERSION}.json",
        **made,
        "examples": [EXAMPLE.model_dump(mode="json")],
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"
