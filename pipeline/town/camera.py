"""One video source with a place, a view and zones: the value every other room works with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, get_args

from shapely import Polygon
from shapely.validation import explain_validity

from pipeline.errors import CameraListError

if TYPE_CHECKING:
    from collections.abc import Sequence

ZoneKind = Literal["carriageway", "footway", "ignore"]
Policy = Literal["keys", "auto", "all", "visit"]

Transport = Literal["tcp", "udp"]

ZONE_KINDS: tuple[str, ...] = get_args(ZoneKind)
POLICIES: tuple[str, ...] = get_args(Policy)
TRANSPORTS: tuple[str, ...] = get_args(Transport)

# Recorders take the password in the path: /user=admin_password=tlJwpbo6_channel=1&stream=0.sdp.
# An underscore ends it only where another key=value follows: it may be part of the password.
_SECRET_IN_PATH = re.compile(
    r"((?:password|passwd|passw|pwd|token|secret)[=/:])(?:(?!_[a-z]+=)[^&/;?])*", re.IGNORECASE
)
_KEEP_KEY = r"\1***"


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the picture: ``polygon`` is ((u, v), ...) in 0..1, u to the right, v down.

    Raises CameraListError when the kind is unknown or the polygon is outside the picture, crosses
    itself, has fewer than three corners or no area.
    """

    kind: ZoneKind
    polygon: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if self.kind not in ZONE_KINDS:
            raise CameraListError(
                "unknown kind of zone", found=repr(self.kind), allowed=", ".join(ZONE_KINDS)
            )
        for u, v in self.polygon:
            if not (0 <= u <= 1 and 0 <= v <= 1):
                raise CameraListError(
                    f"a corner of zone {self.kind} is outside the picture",
                    found=f"({u}, {v})",
                    allowed="0 to 1 in both, as a share of the picture's width and height",
                )
        if len(set(self.polygon)) < 3:
            raise CameraListError(
                f"zone {self.kind} has too few corners", found=len(set(self.polygon)), allowed="3+"
            )
        shape = Polygon(self.polygon)
        if not shape.is_valid or shape.area == 0:
            raise CameraListError(
                f"the outline of zone {self.kind} crosses itself or has no area",
                found=explain_validity(shape),
                allowed="a simple polygon",
            )


@dataclass(frozen=True, slots=True)
class GroundPoint:
    """A marked point: where ``(u, v)`` of the picture (0..1) lies on the ground, in WGS-84."""

    u: float
    v: float
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, repr=False)
class Camera:
    """One video source. ``lon``/``lat`` are WGS-84, whatever datum the list was written in.

    ``url`` is ``rtsp://``, ``rtsps://`` or an absolute file path, credentials included; ``repr``
    and ``masked_url`` never show them. ``sub_url`` is a second, smaller stream of the same view,
    by RTSP: whole looks are taken from it, road looks and full pictures from ``url``. The pose is
    that of a pinhole camera: ``height_m`` of the lens over the ground, ``pitch_deg`` how far the
    optical axis points below the horizon (positive: down), ``heading_deg`` its direction clockwise
    from north, ``hfov_deg`` the horizontal field of view. No zones: the whole picture is
    carriageway and footway. ``policy``, ``interval_s`` and ``transport`` override the ingest
    settings. ``ground_points`` (four or more) calibrate the ground better than the pose does.
    ``declared_datum`` is what the list called its coordinates, kept only so that a wrong one can
    be named.
    """

    camera_id: str
    name: str
    url: str
    lon: float
    lat: float
    height_m: float | None = None
    pitch_deg: float | None = None
    heading_deg: float | None = None
    hfov_deg: float | None = None
    zones: tuple[Zone, ...] = ()
    policy: Policy | None = None
    interval_s: float | None = None
    enabled: bool = True
    ground_points: tuple[GroundPoint, ...] | None = None
    transport: Transport | None = None
    sub_url: str | None = None
    declared_datum: str = field(default="wgs84", compare=False)

    def __repr__(self) -> str:
        shown = {item.name: getattr(self, item.name) for item in fields(self)}
        shown["url"] = masked_url(self.url)
        shown["sub_url"] = self.sub_url and masked_url(self.sub_url)
        return f"Camera({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def zones_of(self, *kinds: ZoneKind) -> Sequence[Zone]:
        """The zones of these kinds, in the order of the list."""
        return [zone for zone in self.zones if zone.kind in kinds]


def masked_url(url: str) -> str:
    """The URL as it may be shown: no user, no password, no value of a query parameter.

    In the path too, what follows ``password=``, ``token/`` and the like goes. Absolute file paths
    pass through. Never raises, whatever the text is: it runs inside error messages. All up to the
    last @ goes, because passwords are written with unescaped slashes, ? and # in them.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        if url.startswith("/") and not url.startswith("//"):
            return url
        scheme, rest = "", url  # most likely a URL whose scheme was forgotten
    before, _, after = rest.rpartition("@")
    place, question, query = (after if separator or ":" in before else rest).partition("?")
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    masked = "&".join(f"{key}=***" if equals else "***" for key, equals, _ in pairs)
    host, slash, path = f"{place}{question}{masked}".partition("/")
    return f"{scheme}{separator}{host}{slash}{_SECRET_IN_PATH.sub(_KEEP_KEY, path)}"
