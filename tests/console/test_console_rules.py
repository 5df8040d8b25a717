"""Every endpoint, every role, own and other grid: allowed or refused as the one table says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from console_town import EAST, WEST, grids_of, pictures_in
from starlette.routing import Mount
from ticket_town import small_town

from pipeline.clock import ManualClock
from pipeline.console.accounts import ROLES, User
from pipeline.console.app import create_app
from pipeline.console.guard import API
from pipeline.console.rules import RULES, STEPS, steps_of
from pipeline.tickets.transitions import LEVEL_OF, TRANSITIONS

if TYPE_CHECKING:
    import httpx
    from console_town import Running

DOCS = Path(__file__).parents[2] / "docs" / "console.md"
COMMAND = {"command_id": "command-0001", "version": "1", "note": "原因", "photo": ""}
# Where an address names more than a ticket or a grid, or a body is needed.
EXAMPLES = {
    "language": ("/language/en", None),
    "static": ("/static/console.css", None),
    "camera_picture": ("/cameras/cam-1/picture", None),
    "coverage_camera": ("/coverage/cam-1", None),
    "patrol_camera": ("/patrol/cam-1", None),
    "report_page": ("/patrol/cam-1/report", None),
    "report_from_picture": ("/patrol/cam-1/report", {"shot": "1"}),
    "ticket_picture": ("/tickets/{ticket_id}/pictures/0/plain", None),
    "ticket_photo": ("/tickets/{ticket_id}/photos/0", None),
    "offline_action": ("/offline/tickets/{ticket_id}/accept", COMMAND),
    "ticket_action": ("/tickets/{ticket_id}/accept", COMMAND),
    "api_ticket_picture": ("/api/v1/tickets/{ticket_id}/pictures/0/plain", None),
    "api_ticket_action": ("/api/v1/tickets/{ticket_id}/accept", {"command_id": "command-0001"}),
    "camera_page": ("/cameras/cam-1", None),
    "zones_page": ("/cameras/cam-1/zones", None),
    "save_zones": ("/cameras/cam-1/zones", {"zones": "[]", "mark": "x"}),
    "calibration_page": ("/cameras/cam-1/calibration", None),
    "check_calibration": ("/cameras/cam-1/calibration/check", {"points": "", "datum": "wgs84"}),
    "save_calibration": ("/cameras/cam-1/calibration", {"points": "", "datum": "wgs84"}),
    "revoke_token": ("/account/tokens/ffffffff/revoke", {}),
    "sign_in": ("/sign-in", {"name": "nobody", "password": "x"}),
}


def routes_of(app):
    """All of them, also those of routers that FastAPI keeps as a whole."""
    found = []
    for route in app.routes:
        router = getattr(route, "original_router", None)
        found += [route] if router is None else routes_of(router)
    return found


@pytest.fixture(scope="module")
def routes():
    desk = SimpleNamespace(town=small_town())
    pictures, accounts = pictures_in(Path(), ManualClock()), SimpleNamespace(journal=None)
    app = create_app(desk, pictures, list, accounts, clock=ManualClock())  # type: ignore[arg-type]
    return {route.name: route for route in routes_of(app)}


def test_every_endpoint_has_a_rule_and_every_rule_an_endpoint(routes):
    assert sorted(routes) == sorted(RULES)


def test_an_endpoint_without_a_rule_is_refused_to_everybody(
    console: Running, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(RULES, "account_page")
    assert console.browser("admin").get("/account").status_code == 403


def ask(browser: httpx.Client, route, ticket_id: str, csrf: str) -> int:
    path, body = EXAMPLES.get(route.name, (route.path, None))
    path = path.replace("{ticket_id}", ticket_id)
    assert "{" not in path, f"{route.name} needs an example"
    if route.name == "events":  # it never ends by itself
        with browser.stream("GET", path) as answer:
            return answer.status_code
    methods = {"GET"} if isinstance(route, Mount) else route.methods
    if "GET" in methods:
        return browser.get(path).status_code
    if path.startswith(API):
        return browser.post(path, json=body, headers={"X-CSRF-Token": csrf}).status_code
    return browser.post(path, data={"csrf": csrf, **(body or {})}).status_code


def test_each_role_gets_through_exactly_where_the_table_lets_it(console: Running, routes):
    """Two tickets stand for own and other grid; what names no ticket is asked once."""
    own, other = console.file(1), console.file(2, east_m=-600)
    wrong = []
    for name, route in routes.items():
        rule = RULES[name]
        path = EXAMPLES.get(name, (getattr(route, "path", ""), None))[0]
        for role in (None, *ROLES):
            for ticket_id in (own, other) if "{ticket_id}" in path else (own,):
                with console.browser(role) as browser:
                    secret = browser.cookies.get("gridwatch")
                    signed_in = console.accounts.of_session(secret) if secret else None
                    status = ask(browser, route, ticket_id, signed_in.csrf if signed_in else "")
                reach = rule.reach.get(role)
                if rule.open:
                    expected = "any"
                elif role is None:
                    expected = 401
                elif reach == "any" or (
                    reach == "own" and (ticket_id == own or not grids_of(role))
                ):
                    expected = "any"
                else:
                    expected = 403
                fits = status not in (401, 403) if expected == "any" else status == expected
                if name == "sign_in":
                    fits = status in (401, 303)
                if not fits:
                    wrong.append((name, role, ticket_id == own, status, expected))
    assert wrong == []


def test_a_grid_of_ones_own_can_be_asked_for_and_another_can_not(console: Running):
    with console.browser("member") as browser:
        assert browser.get("/queue", params={"grid": EAST}).status_code == 200
        assert browser.get("/queue", params={"grid": WEST}).status_code == 403
    with console.browser("command") as browser:
        assert browser.get("/queue", params={"grid": WEST}).status_code == 200


def test_whatever_changes_something_needs_the_form_token_of_its_session(console: Running, routes):
    ticket_id = console.file()
    for name, route in routes.items():
        if isinstance(route, Mount) or "POST" not in route.methods or RULES[name].open:
            continue
        for csrf in ("", "0" * 64, "x"):
            with console.browser("admin") as browser:
                assert ask(browser, route, ticket_id, csrf) == 403, name
    assert console.desk.ticket(ticket_id).state == "dispatched"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
)
def test_another_site_can_not_send_forms_not_even_to_sign_in(console: Running, headers):
    with console.browser() as browser:
        form = {"name": "member", "password": "wrong-password"}
        assert browser.post("/sign-in", data=form, headers=headers).status_code == 403
        assert browser.post("/sign-in", data=form).status_code == 401


def test_a_step_is_offered_only_where_the_tables_of_steps_and_roles_allow_it(console: Running):
    """Every state a ticket can reach, every role, own and other grid."""
    grids, wrong = console.desk.town.grids, []
    ticket = console.desk.ticket(console.file())
    for state in LEVEL_OF:
        for role in ROLES:
            for code in (EAST, WEST):
                user = User(role, role, frozenset(grids_of(role)), disabled=False, created_at=0)
                found = steps_of(user, replace(ticket, state=state, grid_code=code), grids)
                for action, rule in STEPS.items():
                    reach = rule.reach.get(role)
                    first_level = state in ("filed", "returned", "escalated")
                    allowed = (state, action) in TRANSITIONS and (
                        reach == "any" or (reach == "own" and code == EAST and not first_level)
                    )
                    if (action in found) != allowed:
                        wrong.append((state, role, code, action))
    assert wrong == []


def test_the_published_table_is_the_one_in_force():
    """docs/console.md says the same, line by line."""
    text = DOCS.read_text("utf-8")
    marks = {None: "–", "own": "own", "any": "any"}
    for title, rules in (("endpoint", RULES), ("step", STEPS)):
        header = f"| {title} | " + " | ".join(ROLES) + " |"
        lines = text.partition(header)[2].splitlines()[2:]
        table = {}
        for line in lines:
            if not line.startswith("|"):
                break
            name, *cells = (cell.strip(" `") for cell in line.strip("|").split("|"))
            table[name] = cells
        expected = {
            name: ["open"] * len(ROLES)
            if rule.open
            else [marks[rule.reach.get(role)] for role in ROLES]
            for name, rule in rules.items()
        }
        assert table == expected


def test_no_page_offers_a_link_that_would_be_refused(console: Running):
    ticket_id = console.file()
    for role in ROLES:
        with console.browser(role) as browser:
            links = {"/", "/queue", "/cameras", "/map", "/account", f"/tickets/{ticket_id}"}
            for page in sorted(links):
                html = browser.get(page, follow_redirects=True).text
                links |= set(re.findall(r'href="(/(?!static|language|sign)[^"#?]*)"', html))
            refused = [link for link in links if browser.get(link).status_code >= 400]
            assert refused == [], role
