"""Answers in the two formats of GeoReport v2, and its errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from fastapi import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Row = Mapping[str, Any]

MEDIA_TYPES = {"json": "application/json", "xml": "text/xml"}
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class GeoReportError(Exception):
    """What a client did wrong, or what is amiss here; becomes an answer in its format."""

    def __init__(self, status: int, description: str, **headers: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def rows(form: str, names: tuple[str, str], found: Iterable[Row], status: int = 200) -> Response:
    """A list: in XML the ``names`` are of the whole and of one."""
    if form == "json":
        return _answer(form, json.dumps(list(found), ensure_ascii=False).encode(), status)
    whole = ET.Element(names[0])
    for row in found:
        _fill(ET.SubElement(whole, names[1]), row)
    return _answer(form, _xml(whole), status)


def one(form: str, name: str, found: Row) -> Response:
    """A single object."""
    if form == "json":
        return _answer(form, json.dumps(found, ensure_ascii=False).encode(), 200)
    whole = ET.Element(name)
    _fill(whole, found)
    return _answer(form, _xml(whole), 200)


def error(form: str, found: GeoReportError) -> Response:
    """The standard's form of an error."""
    row = {"code": found.status, "description": found.description}
    answer = rows(form, ("errors", "error"), [row], found.status)
    answer.headers.update(found.headers)
    return answer


def _answer(form: str, content: bytes, status: int) -> Response:
    media_type = f"{MEDIA_TYPES[form]}; charset=utf-8"
    return Response(content, status_code=status, media_type=media_type, headers=_HEADERS)


def _xml(whole: ET.Element) -> bytes:
    content: bytes = ET.tostring(whole, encoding="utf-8", xml_declaration=True)
    return content


def _fill(element: ET.Element, row: Row) -> None:
    """A list of mappings or texts becomes one element each, named by its field's singular."""
    for name, value in row.items():
        part = ET.SubElement(element, name)
        if isinstance(value, list):
            for item in value:
                below = ET.SubElement(part, name.removesuffix("s"))
                if isinstance(item, dict):
                    _fill(below, item)
                else:
                    below.text = str(item)
        elif value is not None:
            part.text = str(value).lower() if isinstance(value, bool) else str(value)
