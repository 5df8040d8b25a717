"""The API: the same desk and rules as the pages, as JSON, and its published document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import jsonschema
import pytest
from console_town import EAST, WEST
from hypothesis import HealthCheck, given, settings
from ticket_town import NOON

from pipeline.console.api import document_text

if TYPE_CHECKING:
    from console_town import Running

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "openapi.json"


def program(console: Running, name: str) -> httpx.Client:
    token = console.accounts.tokens.make(name, "a program", 1)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=console.url + "api/v1", headers=headers, timeout=20)


def step(api: httpx.Client, ticket_id: str, action: str, **body: str) -> httpx.Response:
    return api.post(f"/tickets/{ticket_id}/{action}", json={"command_id": "command-0001", **body})


def test_the_published_document_is_the_one_in_force(console: Running):
    assert PUBLISHED.read_text("utf-8") == document_text(), (
        'python -c "from pipeline.console.api import document_text as t; print(t(), end=str())" '
        "> docs/schema/openapi.json"
    )
    with program(console, "viewer") as api:
        served = api.get("/openapi.json").json()
    assert served["paths"] == json.loads(document_text())["paths"]


def test_a_program_lists_tickets_and_takes_steps_in_its_users_name(console: Running):
    ticket_id = console.file()
    console.file(2, east_m=-600)
    with program(console, "member") as api:
        assert api.get("/me").json() == {"name": "member", "role": "member", "grids": [EAST]}
        (row,) = api.get("/tickets").json()
        assert row["ticket_id"] == ticket_id
        assert row["place"]["datum"] == "WGS-84"
        assert row["actions"] == ["accept", "return", "escalate"]
        for _ in range(2):
            taken = step(api, ticket_id, "accept", note="马上到")
            assert taken.status_code == 200
        assert taken.json()["state"] == "accepted"
        last = taken.json()["steps"][-1]
        assert (last["action"], last["by"], last["note"]) == ("accept", "member", "马上到")
        (picture,) = taken.json()["pictures"]
        address = f"{console.url.rstrip('/')}{picture}/plain"
        assert api.get(address).headers["content-type"] == "image/jpeg"
    assert len(console.desk.ticket(ticket_id).steps) == 3


def test_filters_narrow_the_list(console: Running):
    east, west = console.file(1), console.file(2, hazard="blockage", east_m=-600)
    with program(console, "command") as api:

        def listed(**query: str | int) -> list[str]:
            return [row["ticket_id"] for row in api.get("/tickets", params=query).json()]

        assert sorted(listed()) == sorted([east, west])
        assert listed(grid=WEST) == [west]
        assert listed(hazard="road_collapse") == [east]
        assert listed(state="accepted") == []
        assert len(listed(limit=1)) == 1


def test_refusals_are_json_with_a_reason(console: Running):
    ticket_id, other = console.file(1), console.file(2, east_m=-600)
    with program(console, "member") as api:
        for answer, status in (
            (api.get("/tickets/YL20261123-999999"), 404),
            (api.get(f"/tickets/{other}"), 403),
            (api.get("/tickets", params={"grid": WEST}), 403),
            (api.get("/tickets", params={"state": "nowhere"}), 422),
            (api.get("/tickets", params={"limit": 10**9}), 422),
            (step(api, ticket_id, "close"), 403),
            (step(api, ticket_id, "nothing"), 422),
            (step(api, ticket_id, "return"), 422),
            (step(api, ticket_id, "accept", command_id="../x"), 422),
            (api.post(f"/tickets/{ticket_id}/accept", content=b"{"), 422),
            (api.get("/nowhere"), 404),
        ):
            assert answer.status_code == status
            assert answer.json()["error"]
        console.desk.move(ticket_id, "accept", by="李四")
        late = step(api, ticket_id, "accept")
        assert late.status_code == 409
        assert late.json()["error"].startswith("The ticket has changed: it is now accepted")
    with program(console, "command") as api:
        assert api.get("/tickets", params={"grid": "999"}).status_code == 404


def test_a_token_alone_opens_the_api_and_nothing_else(console: Running):
    with program(console, "admin") as api:
        assert api.get(console.url + "queue").status_code == 401
    for bearer in ("", "Bearer", "Bearer gw_x_y", "Basic abc"):
        answer = httpx.get(console.url + "api/v1/me", headers={"Authorization": bearer})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_browser_needs_its_form_token_for_the_api_too(console: Running):
    ticket_id = console.file()
    path, body = f"/api/v1/tickets/{ticket_id}/accept", {"command_id": "command-0001"}
    with console.browser("member") as browser:
        assert browser.post(path, json=body).status_code == 403
        signed_in = console.accounts.of_session(browser.cookies["gridwatch"])
        assert signed_in is not None
        headers = {"X-CSRF-Token": str(signed_in.csrf)}
        assert browser.post(path, json=body, headers=headers).status_code == 200


def test_cameras_and_grids_come_with_what_a_map_needs(console: Running):
    with program(console, "member") as api:
        cameras = {row["camera_id"]: row for row in api.get("/cameras").json()}
        assert cameras.keys() == {"cam-1", "cam-3"}
        assert cameras["cam-3"]["state"] == "unknown"
        assert cameras["cam-1"]["since_at"] == "2026-11-23T03:59:00Z"
        found = api.get("/grids").json()
    own = {one["properties"]["code"]: one["properties"]["own"] for one in found["features"]}
    assert own == {"410182102": False, WEST: False, EAST: True}
    assert found["features"][0]["geometry"]["type"] == "Polygon"
    assert NOON == 1795406400


def test_what_is_answered_is_what_the_document_promises(console: Running):
    ticket_id = console.file()
    document = json.loads(document_text())
    with program(console, "command") as api:
        for path, name in (
            ("/me", "/api/v1/me"),
            ("/tickets", "/api/v1/tickets"),
            (f"/tickets/{ticket_id}", "/api/v1/tickets/{ticket_id}"),
            ("/cameras", "/api/v1/cameras"),
            ("/grids", "/api/v1/grids"),
        ):
            promised = document["paths"][name]["get"]["responses"]["200"]
            schema = promised["content"]["application/json"]["schema"]
            whole = schema | {"components": document["components"]}
            jsonschema.validate(api.get(path).json(), whole)


@pytest.mark.parametrize("name", ["member", "command"])
def test_random_requests_never_make_the_api_fail(console: Running, name: str):
    """schemathesis, from the published document."""
    schemathesis = pytest.importorskip("schemathesis")
    ticket_id = console.file()
    schema = schemathesis.openapi.from_dict(json.loads(PUBLISHED.read_text("utf-8")))
    with program(console, name) as api:
        for operation in schema.get_all_operations():
            strategy = operation.ok().as_strategy()
            sample(strategy, operation, api, ticket_id)


def sample(strategy, operation, api: httpx.Client, ticket_id: str) -> None:
    @given(case=strategy)
    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def run(case) -> None:
        if (
            "ticket_id" in (case.path_parameters or {})
            and len(case.path_parameters["ticket_id"]) % 2
        ):
            case.path_parameters["ticket_id"] = ticket_id
        path = case.formatted_path.removeprefix("/api/v1")
        body = case.body if isinstance(case.body, dict) else None
        answer = api.request(case.method, path, params=dict(case.query or {}), json=body)
        assert answer.status_code < 500, (operation.label, answer.text)

    run()
