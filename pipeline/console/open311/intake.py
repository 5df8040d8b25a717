"""One report as a client of GeoReport v2 sends it: checked, and made a Report."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pipeline.console.open311.answers import GeoReportError
from pipeline.errors import CoordinateError, PictureError, ReportError
from pipeline.tickets import Report, read_upload, report_id_of, reported_place
from pipeline.tickets.report import MOST_ADDRESS, MOST_TEXT, clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.console.open311.services import Services
    from pipeline.settings import ReportSettings
    from pipeline.tickets import Reported
    from pipeline.town import GridMap, Place

NOT_FETCHED = (
    "media_url 不会被读取，请在字段 media 中上传图片 / "
    "media_url is not fetched: upload the picture in the field media"
)
NOT_KEPT = (
    "图片未保存：无法遮挡人脸与车牌 / "
    "a picture was not kept: faces and plates in it could not be covered"
)
WAITS = "已保存，稍后立案 / kept, and filed as soon as the desk can be reached"


def report_from(  # the parts of one call
    fields: Mapping[str, str],
    *,
    by: str,
    at: float,
    services: Services,
    grids: GridMap,
    radius_m: float,
    retry_key: str | None,
) -> Report:
    """The report in these fields; who wrote it is not taken over. Raises GeoReportError.

    ``retry_key``: with the same one the same client's report is filed once.
    """
    code = fields.get("service_code", "").strip()
    if not code:
        raise GeoReportError(400, "service_code was not provided")
    duty = services.duty(code)
    if duty is None:
        raise GeoReportError(404, f"service_code {code[:80]!r} was not found")
    try:
        address = clean_text(fields.get("address_string", ""), MOST_ADDRESS, "address_string")
        text = clean_text(fields.get("description", ""), MOST_TEXT, "description", lines=True)
        place = _place(fields, grids, radius_m)
    except (ReportError, CoordinateError) as error:
        raise GeoReportError(400, str(error)) from None
    if place is None and not address:
        raise GeoReportError(
            400, "a place was not provided; allowed: lat and long in WGS-84, or address_string"
        )
    name = (retry_key,) if retry_key else (secrets.token_hex(16),)
    return Report(
        report_id=report_id_of("resident", by, *name),
        source="resident",
        by=by,
        hazard=duty.hazard,
        kind=duty.kind,
        place=place,
        address=address,
        description=text,
        reported_at=at,
    )


def pictures_from(contents: Sequence[bytes], settings: ReportSettings) -> list[NDArray[np.uint8]]:
    """The pictures in these uploads. Raises GeoReportError for the first that is none."""
    try:
        return [read_upload(content, settings) for content in contents]
    except PictureError as error:
        status = 413 if len(max(contents, key=len)) > settings.picture_mb * 1_000_000 else 400
        raise GeoReportError(status, str(error)) from None


def notice_of(fields: Mapping[str, str], taken: Reported) -> str:
    """What the sender should know: what was not done as asked."""
    notices = []
    if taken.filing is None:
        notices.append(WAITS)
    if fields.get("media_url", "").strip():
        notices.append(NOT_FETCHED)
    if taken.unkept:
        notices.append(NOT_KEPT)
    return "；".join(notices)


def _place(fields: Mapping[str, str], grids: GridMap, radius_m: float) -> Place | None:
    lat, lon = fields.get("lat", "").strip(), fields.get("long", "").strip()
    if not lat and not lon:
        return None
    try:
        degrees = float(lon), float(lat)
    except ValueError:
        raise CoordinateError(
            "lat and long are not two numbers",
            found=f"lat={lat[:40]!r}, long={lon[:40]!r}",
            allowed="degrees in WGS-84",
        ) from None
    return reported_place(grids, *degrees, "wgs84", radius_m)
