"""Templates filled for a visit: its language, its user, our files by their content."""

from __future__ import annotations

import hashlib
import uuid
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from pipeline.console import words
from pipeline.console.context import console_of, visit_of
from pipeline.console.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import HTTPConnection

STATIC = Path(__file__).parent / "static"

_templates = Environment(
    loader=PackageLoader("pipeline.console"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def file_url(name: str) -> str:
    """The address of one of our files; another one when its content changes."""
    content = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={content}"


def draw(
    request: HTTPConnection,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page for whoever asks."""
    visit = visit_of(request)
    html = _templates.get_template(template).render(
        visit=visit,
        owner=owner_of(visit.user.name) if visit.user else "",
        t=visit.say,
        words=words,
        file=file_url,
        called=partial(_called, language=visit.language),
        lets=partial(_lets, request),
        here=request.url.path,
        oidc=console_of(request).office.oidc,
        new_id=lambda: uuid.uuid4().hex,
        **values,
    )
    return HTMLResponse(html, status_code=status, headers={**(headers or {}), **_whose(request)})


def owner_of(name: str) -> str:
    """What a browser calls a user: it keeps one's pages and what waits to be sent from others'."""
    return hashlib.sha256(b"owner " + name.encode()).hexdigest()[:16]


def _whose(request: HTTPConnection) -> dict[str, str]:
    """Whose page it is and when it was made: for browsers that keep it."""
    user = visit_of(request).user
    if user is None:
        return {}
    return {
        "X-Gridwatch-Owner": owner_of(user.name),
        "X-Gridwatch-At": f"{console_of(request).clock.now():.0f}",
    }


def _called(table: dict[str, words.Pair], key: str, *, language: words.Language) -> str:
    return words.name(table, key, language)


def _lets(request: HTTPConnection, endpoint: str) -> bool:
    """Whether the visitor's role may go there: what may not be isn't shown."""
    user, rule = visit_of(request).user, RULES[endpoint]
    return rule.open or (user is not None and user.role in rule.reach)
