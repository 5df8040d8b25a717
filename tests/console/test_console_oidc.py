"""Signing in by OpenID Connect, at a real provider on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from console_town import EAST, PASSWORD, WEST
from forms import send, text_of
from oidc_provider import CLIENT, SECRET, LocalProvider
from pydantic import SecretStr, ValidationError

from pipeline.console import Office
from pipeline.console.oidc import Flow, opened_provider
from pipeline.errors import SettingsError
from pipeline.settings_file import load_settings
from pipeline.settings_oidc import OidcSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx
    from console_town import Running

    from pipeline.clock import ManualClock
    from pipeline.tickets import Audit

ZHAO = {"sub": "u-1", "preferred_username": "Zhao", "groups": ["staff", "east"]}
MAPPING = [
    {"value": "boss", "role": "admin"},
    {"value": "east", "role": "member", "grids": [EAST]},
    {"value": "headed", "role": "head"},
    {"value": "looker", "role": "viewer"},
]


@pytest.fixture
def provider(clock: ManualClock) -> Iterator[LocalProvider]:
    with LocalProvider(clock, person=dict(ZHAO)) as running:
        yield running


@pytest.fixture
def begin(
    provider: LocalProvider, start: Callable[..., Running], audit: Audit, clock: ManualClock
) -> Callable[..., Running]:
    """A console that knows the provider."""

    def begin(**more: Any) -> Running:
        console = start()
        told = {
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "public_url": console.url.rstrip("/"),
            "mapping": MAPPING,
        }
        opened = opened_provider(OidcSettings(**told | more), clock)
        console.app.state.console = replace(
            console.app.state.console, office=Office(audit, oidc=opened)
        )
        return console

    return begin


@pytest.fixture
def console(begin: Callable[..., Running]) -> Running:
    return begin()


def come_in(browser: httpx.Client, to: str = "/queue") -> httpx.Response:
    """All the way, as a browser follows it."""
    return browser.get("/sign-in/oidc", params={"to": to}, follow_redirects=True)


def test_who_is_vouched_for_comes_in_with_the_mapped_role_and_grids(
    console: Running, provider: LocalProvider
):
    with console.browser() as browser:
        assert "/sign-in/oidc?to=" in browser.get("/queue").text
        page = come_in(browser)
        assert (page.status_code, page.url.path) == (200, "/queue")
        assert 'data-user="zhao"' in page.text
        assert "gridwatch-oidc" not in browser.cookies
    user = console.accounts.users.find("zhao")
    assert user is not None
    assert (user.role, user.grids) == ("member", {EAST})
    assert console.accounts.identities.of("zhao") == (provider.issuer, "u-1")


def test_the_provider_is_asked_with_pkce_state_and_nonce(console: Running):
    with console.browser() as browser:
        address = browser.get("/sign-in/oidc").headers["location"]
        asked = {name: one[0] for name, one in parse_qs(urlsplit(address).query).items()}
        flow = Flow.from_cookie(browser.cookies["gridwatch-oidc"])
    assert flow is not None
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"] == flow.challenge != flow.verifier
    assert (asked["state"], asked["nonce"]) == (flow.state, flow.nonce)
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == f"{console.url}sign-in/oidc/back"
    assert flow.verifier not in address
    assert SECRET not in address


def test_a_person_is_known_by_the_subject_whatever_the_name(
    console: Running, provider: LocalProvider
):
    come_in(console.browser())
    provider.person |= {"preferred_username": "renamed", "groups": ["boss"]}
    come_in(console.browser())
    user = console.accounts.users.find("zhao")
    assert user is not None
    assert (user.role, user.grids) == ("admin", frozenset())
    assert console.accounts.users.find("renamed") is None


def test_a_name_that_a_password_user_has_is_not_taken_over(
    console: Running, provider: LocalProvider
):
    provider.person["preferred_username"] = "ADMIN"
    page = come_in(console.browser())
    assert page.status_code == 403
    assert "可能已有同名用户" in page.text
    assert console.accounts.identities.of("admin") is None


@pytest.mark.parametrize(
    "person",
    [
        {"groups": ["staff"]},
        {"groups": None},
        {"groups": {"east": 1}},
        {"groups": "eastern"},
        {"preferred_username": None},
        {"preferred_username": ""},
        {"preferred_username": "a b"},
        {"groups": ["headed"]},  # a head without grids
    ],
)
def test_without_a_mapping_or_a_name_nobody_gets_in(
    console: Running, provider: LocalProvider, person: dict[str, Any]
):
    before = len(console.accounts.users.all())
    provider.person |= person
    with console.browser() as browser:
        assert come_in(browser).status_code == 403
        assert browser.get("/queue").status_code == 401
    assert len(console.accounts.users.all()) == before


def test_a_disabled_user_stays_out(console: Running):
    come_in(console.browser())
    console.accounts.users.disable("zhao", disabled=True)
    assert come_in(console.browser()).status_code == 403


def test_such_a_user_has_no_password_at_all(console: Running):
    come_in(console.browser())
    for password in ("", PASSWORD):
        with console.browser() as browser:
            form = {"name": "zhao", "password": password}
            assert browser.post("/sign-in", data=form).status_code == 401


@pytest.mark.parametrize(
    "told,grids",
    [
        ([EAST, "999"], {EAST}),
        (f"{EAST},{WEST}", {EAST, WEST}),
        ([], None),
        (None, None),
        (7, None),
    ],
)
def test_grids_may_come_from_a_claim_and_none_known_lets_nobody_in(
    begin: Callable[..., Running], provider: LocalProvider, told: Any, grids: set[str] | None
):
    """Not even a viewer, who would see the whole town without any."""
    console = begin(grids_claim="town.grids")
    for group in ("headed", "looker"):
        provider.person |= {"sub": group, "preferred_username": group}
        provider.person |= {"groups": [group], "town": {"grids": told}}
        assert come_in(console.browser()).status_code == (403 if grids is None else 200)
        user = console.accounts.users.find(group)
        assert (user and user.grids) == grids


def test_the_role_may_stand_in_userinfo_or_deep_in_a_claim(
    begin: Callable[..., Running], provider: LocalProvider
):
    del provider.person["groups"]
    provider.in_userinfo = {"realm_access": {"roles": ["boss"]}}
    console = begin(role_claim="realm_access.roles")
    assert come_in(console.browser()).status_code == 200
    user = console.accounts.users.find("zhao")
    assert user is not None
    assert user.role == "admin"


@pytest.mark.parametrize(
    "change",
    [
        {"state": "x" * 43},
        {"state": ""},
        {"iss": "https://elsewhere.example"},
        {"code": ""},
        {"error": "access_denied"},
    ],
)
def test_an_answer_that_does_not_belong_to_this_browser_is_refused(
    console: Running, change: dict[str, str]
):
    with console.browser() as browser:
        address = browser.get("/sign-in/oidc").headers["location"]
        back = urlsplit(console.browser().get(address).headers["location"])
        asked = {name: one[0] for name, one in parse_qs(back.query).items()}
        answer = browser.get(back.path, params=asked | change)
        assert answer.status_code in (400, 403)
        assert "重新开始" in answer.text
        assert browser.get("/queue").status_code == 401


def test_an_answer_of_another_browser_or_taken_twice_lets_nobody_in(console: Running):
    with console.browser() as browser, console.browser() as victim:
        address = browser.get("/sign-in/oidc").headers["location"]
        back = browser.get(address).headers["location"]
        cookie = browser.cookies["gridwatch-oidc"]
        assert victim.get(back).status_code == 400
        victim.get("/sign-in/oidc")
        assert victim.get(back).status_code == 400
        assert browser.get(back).status_code == 303
        browser.cookies.set("gridwatch-oidc", cookie)
        assert browser.get(back).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
)
def test_a_token_that_does_not_hold_lets_nobody_in(
    console: Running, provider: LocalProvider, claims: dict[str, Any]
):
    provider.claims = claims
    with console.browser() as browser:
        page = come_in(browser)
        assert page.status_code == 502
        assert "统一身份认证暂时不可用" in page.text
        assert browser.get("/queue").status_code == 401


def test_only_the_providers_keys_sign_and_a_new_one_is_fetched(
    console: Running, provider: LocalProvider, clock: ManualClock
):
    assert come_in(console.browser()).status_code == 200
    provider.sign_with = LocalProvider.new_key()
    assert come_in(console.browser()).status_code == 502
    clock.sleep(61)
    provider.key, provider.sign_with = LocalProvider.new_key(), None
    assert come_in(console.browser()).status_code == 200
    provider.asked.clear()
    provider.sign_with = LocalProvider.new_key()
    for _ in range(3):
        assert come_in(console.browser()).status_code == 502
    assert provider.asked.count("/keys") == 0, "a flood of bad tokens fetches no keys"


NONSENSE = [
    b"",
    b"<html>",
    b"[]",
    b"null",
    b'{"a":' * 100_000,
    b'"' + b"x" * 1_100_000 + b'"',
]


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/token", "/keys", "/userinfo"]
)
def test_nonsense_is_said_plainly_and_without_secrets(
    console: Running, provider: LocalProvider, clock: ManualClock, path: str
):
    if path == "/userinfo":
        del provider.person["groups"]
    for body in (*NONSENSE, b"{}"):
        for status in (200, 500):
            clock.sleep(4000)  # nothing is remembered from the time before
            provider.answers[path] = (status, body)
            with structlog.testing.capture_logs() as said:
                page = come_in(console.browser())
            assert page.status_code == 502, (body[:20], status)
            assert "暂时不可用" in page.text
            assert "access" not in str(said)
            assert SECRET not in str(said) + page.text
            assert any(event["event"] == "console.oidc_failed" for event in said)


def test_while_the_provider_is_away_passwords_still_let_in(
    console: Running, provider: LocalProvider
):
    provider.stop()
    with console.browser() as browser:
        page = come_in(browser)
        assert page.status_code == 502
        assert "用密码登录" in page.text
        form = {"name": "member", "password": PASSWORD}
        assert browser.post("/sign-in", data=form).status_code == 303


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://10.0.0.1/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
)
def test_a_provider_that_names_unsafe_places_is_not_asked(
    console: Running, provider: LocalProvider, told: dict[str, Any]
):
    provider.metadata = told
    assert come_in(console.browser()).status_code == 502


def test_signing_out_ends_the_session_here_and_leads_to_the_provider(
    console: Running, provider: LocalProvider
):
    with console.browser() as browser:
        come_in(browser)
        page = send(browser, "/account", "/sign-out")
        assert "/sign-in/oidc/out" in page.text
        assert browser.get("/queue").status_code == 401
        there = browser.get("/sign-in/oidc/out").headers["location"]
    assert there.startswith(f"{provider.issuer}/end?client_id={CLIENT}&post_logout_redirect_uri=")
    with console.browser("member") as browser:
        assert "/sign-in/oidc/out" not in send(browser, "/account", "/sign-out").text


def test_the_audit_has_who_came_by_which_provider_and_who_did_not(
    console: Running, provider: LocalProvider
):
    come_in(console.browser())
    provider.person |= {"sub": "u-2", "groups": []}
    come_in(console.browser())
    with console.browser("admin") as browser:
        lines = [
            json.loads(line) for line in browser.get("/audit/export?format=jsonl").text.splitlines()
        ]
        page = text_of(browser.get("/users/one?name=zhao").text)
    found = [(one["action"], one["subject"], one["result"]) for one in lines]
    assert ("users link", "zhao", "done") in found
    assert ("sign-in", "", "refused: no mapping for what groups holds") in found
    (came,) = [one for one in lines if (one["action"], one["who"]) == ("sign-in", "zhao")]
    assert came["details"]["issuer"] == provider.issuer
    assert "由统一身份认证管理" in page


def test_many_refused_tries_from_one_address_must_wait(console: Running, provider: LocalProvider):
    provider.person["groups"] = []
    for _ in range(8):
        assert come_in(console.browser()).status_code == 403
    assert come_in(console.browser()).status_code == 429


def test_without_the_setting_there_is_no_such_way(start: Callable[..., Running]):
    console = start()
    with console.browser() as browser:
        assert browser.get("/sign-in/oidc").status_code == 404
        assert "/sign-in/oidc" not in browser.get("/sign-in").text


@pytest.mark.parametrize("text", [None, "", "x", "e30=", "W10=", "bnVsbA==", "é", "=" * 9])
def test_a_cookie_that_is_not_ours_is_none(text: str | None):
    assert Flow.from_cookie(text) is None


GOOD = {
    "issuer": "https://id.example.cn",
    "client_id": "x",
    "public_url": "https://grid.example.cn",
    "mapping": MAPPING,
}


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://id.example.cn"},
        {"issuer": "https://u:p@id.example.cn"},
        {"public_url": "ftp://grid"},
        {"mapping": []},
        {"mapping": [{"value": "x", "role": "king"}]},
        {"role_claim": "a..b"},
        {"client_secret": "a", "client_secret_file": "b"},
    ],
)
def test_settings_that_would_be_unsafe_are_refused(change: dict[str, Any]):
    OidcSettings(**GOOD)
    with pytest.raises(ValidationError):
        OidcSettings(**GOOD | change)


def test_the_secret_comes_from_the_environment_or_a_file_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
):
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps({"console": {"oidc": GOOD}}), "utf-8")
    monkeypatch.setenv("GRIDWATCH_CONSOLE__OIDC__CLIENT_SECRET", SECRET)
    oidc = load_settings(file).console.oidc
    assert oidc is not None
    assert oidc.client_secret == SecretStr(SECRET)
    assert SECRET not in repr(oidc)
    monkeypatch.delenv("GRIDWATCH_CONSOLE__OIDC__CLIENT_SECRET")
    file.write_text(json.dumps({"console": {"oidc": GOOD | {"client_secret_file": "s"}}}), "utf-8")
    oidc = load_settings(file).console.oidc
    assert oidc is not None
    assert oidc.client_secret_file == tmp_path / "s"
    with pytest.raises(SettingsError, match="client_secret_file"):
        opened_provider(oidc, clock)
    (tmp_path / "s").write_text(SECRET + "\n")
    assert opened_provider(oidc, clock)
