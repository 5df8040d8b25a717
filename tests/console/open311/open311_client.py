"""What a client of the endpoint sends, and how it reads the answers."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from ticket_town import DEGREE_M, LAT, LON

from pipeline.tickets import Snapshot

if TYPE_CHECKING:
    from types import SimpleNamespace

    import httpx

V2 = "/open311/v2"
EAST_M = 300.0
PLACE = {"lat": f"{LAT}", "long": f"{LON + EAST_M / DEGREE_M}"}
HOLE = {"service_code": "road_collapse", **PLACE}


def nobody_seen(picture: np.ndarray) -> Snapshot:
    """A look at a picture with nobody in it."""
    return Snapshot(picture, np.zeros((0, 4), np.float32), [])


def post(town: SimpleNamespace, form: str = "json", files=None, **fields: str) -> httpx.Response:
    data = {"api_key": town.key, **fields}
    return town.client.post(f"{V2}/requests.{form}", data=data, files=files)


def filed(town: SimpleNamespace, **fields: str) -> str:
    answer = post(town, **HOLE, **fields)
    assert answer.status_code == 201, answer.text
    (row,) = answer.json()
    return row["service_request_id"]


def refused(answer: httpx.Response, status: int, *words: str) -> None:
    """An error in the standard's form."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()
    assert error["code"] == status
    for word in words:
        assert word in error["description"]


def jpeg(size: tuple[int, int] = (320, 180), **options: object) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (90, 120, 90)).save(file, "JPEG", **options)
    return file.getvalue()
