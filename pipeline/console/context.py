"""What every page and every call of the API works with, and what is known of who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.console import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import FormData
    from starlette.requests import HTTPConnection

    from pipeline.clock import Clock
    from pipeline.console.accounts import Accounts, User
    from pipeline.console.camera_care import CameraCare
    from pipeline.console.cameras import CameraRows
    from pipeline.console.figures import Figures
    from pipeline.console.office import Office
    from pipeline.console.recording import Recorder
    from pipeline.console.watching import Watching
    from pipeline.console.words import Language, Pair
    from pipeline.settings import ConsoleSettings, ReportSettings
    from pipeline.tickets import Desk, Feedback, PictureKeeper, Ticket


@dataclass(frozen=True, slots=True)
class Console:
    """The desk, the accounts and the rest, for as long as the console runs."""

    desk: Desk
    feedback: Feedback
    accounts: Accounts
    pictures: PictureKeeper
    cameras: CameraRows
    settings: ConsoleSettings
    photo_limits: ReportSettings
    clock: Clock
    office: Office
    figures: Figures
    recorder: Recorder
    watching: Watching | None = None
    care: CameraCare | None = None
    """What the pages of one camera need besides; None: they show what the board says."""


@dataclass(slots=True)
class Visit:
    """One request: who asks, in which language, and for which ticket."""

    language: Language
    secret: str | None = None  # of the browser's session
    user: User | None = None
    csrf: str | None = None
    ticket: Ticket | None = None
    camera: Mapping[str, Any] | None = None
    form: FormData | None = field(default=None, repr=False)

    def say(self, zh: str, en: str) -> str:
        return words.pick((zh, en), self.language)

    @property
    def by(self) -> User:
        """The user; only behind the guard of an endpoint that isn't open."""
        assert self.user is not None
        return self.user

    @property
    def on(self) -> Ticket:
        """The ticket that the address names; the guard has let the user see it."""
        assert self.ticket is not None
        return self.ticket

    @property
    def at(self) -> Mapping[str, Any]:
        """The camera that the address names; the guard has let the user see it."""
        assert self.camera is not None
        return self.camera

    def text(self, name: str, default: str = "") -> str:
        """A field of the form that was sent."""
        value = self.form.get(name) if self.form is not None else None
        return value if isinstance(value, str) else default

    def words(self, name: str) -> list[str]:
        """All words of a field that may come several times, as boxes that were ticked do."""
        values = self.form.getlist(name) if self.form is not None else []
        return [word for value in values if isinstance(value, str) for word in value.split()]


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """An answer other than what was asked for: a status and a sentence in both languages."""

    def __init__(self, status: int, say: Pair, *, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.say = say
        self.headers = dict(headers or {})
        super().__init__(say[1])


def console_of(request: HTTPConnection) -> Console:
    console: Console = request.app.state.console
    return console


def visit_of(request: HTTPConnection) -> Visit:
    visit: Visit | None = getattr(request.state, "visit", None)
    if visit is None:
        language: Language = "en" if request.cookies.get("lang") == "en" else "zh"
        visit = request.state.visit = Visit(language)
    return visit
