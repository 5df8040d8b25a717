"""The one tree of errors. Commands print them; nobody parses their text.

GridwatchError
├── InputError              something the user wrote is wrong: file, place, found, allowed (exit 2)
│   ├── SettingsError       settings file, environment or --set
│   ├── CameraListError     cameras.csv / cameras.yaml
│   │   └── CameraListChangedError  somebody else changed the entry first
│   ├── GridMapError        grids.geojson
│   ├── DutiesError         duties.yaml
│   │   └── DutiesChangedError     it changed while somebody edited it
│   ├── HolidaysError       a town's own table of holidays
│   ├── CoordinateError     coordinate without a datum, or impossible in it
│   ├── CalibrationError    ground plane can't be made from pose or marked points
│   ├── ModelError          model file, card or hash
│   ├── FootageError        clip missing, empty, truncated, no video in it
│   ├── TruthError          truth.jsonl
│   ├── DataError           training data: folder, picture, label, start weights
│   ├── ScenarioError       scenario of a rehearsal
│   ├── ReportError         what somebody reports: hazard, box, text
│   ├── PictureError        a picture that somebody hands in: none at all, or too large
│   ├── ApiKeyError         a name for an API key, or the file of them
│   └── BenchError          a benchmark can't be run here
├── RehearsalError          a program of a rehearsal ended, or it could not be set up
├── SourceError             a camera can't deliver now; carries the camera state that says so
├── WorkerError             a worker process can't be started, or what it says makes no sense
├── DeskError               the desk refused or could not be reached
│   ├── DeskUnavailableError   Redis away, read-only or out of memory: try again later
│   │   └── ArchiveUnavailableError   the archive's database is away, or another one
│   ├── ArchiveError        the archive is another town's, or will not take something
│   ├── UnknownTicketError
│   ├── StaleTicketError       decided on what the ticket no longer is
│   ├── ForeignGridError       somebody else's ticket
│   └── UnknownGridError
├── AccountError            a user, token or password can't be so, or the accounts can't be read
│   ├── LastAdminError      then nobody could administer
│   ├── SignInError         not let in
│   ├── ProviderError       the provider of identities is away, or answers nonsense
│   └── TooManyAttemptsError   not now: too many wrong passwords
├── NotifyError             a message could not be delivered; says whether to try again
├── SignatureError          what came over a webhook is not ours, not fresh, or came before
├── EvidenceError           a picture could not be blurred or written; never stops a ticket
│   ├── UnknownEvidenceError      no such picture or clip, or it was deleted
│   └── StoreUnavailableError     the bucket can't be reached: try again later
└── OutboxError             the local outbox could not be opened or written
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class GridwatchError(Exception):
    """Root of every error this package raises on purpose."""


class InputError(GridwatchError):
    """Something the user wrote is wrong.

    The text always names the file, the place in it (line, field, feature), what was found and
    what is allowed, so that it can be put right without reading code.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        where: str | None = None,
        found: object = None,
        allowed: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = None if file is None else str(file)
        self.where = where
        self.found = None if found is None else str(found)
        self.allowed = allowed
        super().__init__(self._text())

    @classmethod
    def from_validation(
        cls, error: Any, *, file: object, where: str = "", known: Iterable[str] = ()
    ) -> Self:
        """Say the first fault of a pydantic ValidationError; a mistyped name comes before others.

        ``where`` stands before the field; ``known`` are the names a mistyped one is compared to.
        """
        faults = error.errors()
        fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
        field = ".".join(str(part) for part in fault["loc"])
        place = ", ".join(part for part in (where, field) if part) or None
        if fault["type"] == "missing":
            return cls("is missing", file=file, where=place)
        if fault["type"] == "extra_forbidden":
            names = list(known)
            near = difflib.get_close_matches(str(fault["loc"][-1]), names, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            return cls("unknown field", file=file, where=place, allowed=", ".join(names) + hint)
        found = repr(fault.get("input"))
        return cls("is not allowed", file=file, where=place, found=found[:80], allowed=fault["msg"])

    def _text(self) -> str:
        place = ", ".join(part for part in (self.file, self.where) if part)
        text = f"{place}: {self.problem}" if place else self.problem
        if self.found is not None:
            text += f"; found {self.found}"
        if self.allowed is not None:
            text += f"; allowed: {self.allowed}"
        return text


class SettingsError(InputError):
    pass


class CameraListError(InputError):
    pass


class CameraListChangedError(CameraListError):
    """The list is no longer what the change was made from; nothing was overwritten."""


class GridMapError(InputError):
    pass


class DutiesError(InputError):
    pass


class DutiesChangedError(DutiesError):
    """The file is no longer what was edited; nothing was written."""


class HolidaysError(InputError):
    """The town's own table of holidays."""


class CoordinateError(InputError):
    pass


class CalibrationError(InputError):
    pass


class ModelError(InputError):
    pass


class FootageError(InputError):
    pass


class TruthError(InputError):
    pass


class DataError(InputError):
    pass


class ReportError(InputError):
    pass


class PictureError(InputError):
    pass


class ApiKeyError(InputError):
    pass


class ScenarioError(InputError):
    pass


class BenchError(InputError):
    """A benchmark can't be run here: too many cameras for this machine, a program that ended."""


class RehearsalError(GridwatchError):
    """A program of a rehearsal ended by itself, or the rehearsal could not be set up."""


class SourceError(GridwatchError):
    """A camera can't deliver pictures now.

    ``state`` is the camera state that describes it (``unreachable``, ``unauthorised``, ...).
    The text must already be free of credentials. ``of_host``: the device or the way to it fails,
    and with it every camera it serves.
    """

    def __init__(self, state: str, reason: str, *, of_host: bool = False) -> None:
        self.state = state
        self.reason = reason
        self.of_host = of_host
        super().__init__(f"{state}: {reason}")


class WorkerError(GridwatchError):
    """A worker process can't be started, or what it says makes no sense."""


class DeskError(GridwatchError):
    """The desk refused a command or could not be reached."""


class DeskUnavailableError(DeskError):
    """Redis is away, read-only or out of memory; the same call may succeed later."""


class ArchiveUnavailableError(DeskUnavailableError):
    """The archive's database is away, or isn't the one that tickets went to."""


class ArchiveError(DeskError):
    """The archive is another town's, or will not take something."""


class UnknownTicketError(DeskError):
    pass


class StaleTicketError(DeskError):
    """The ticket has changed since the command was decided; ``steps`` are its newest steps."""

    def __init__(self, ticket_id: str, state: str, version: int, steps: tuple[Any, ...]) -> None:
        self.ticket_id = ticket_id
        self.state = state
        self.version = version
        self.steps = steps
        last = steps[-1]
        super().__init__(
            f"{ticket_id} has changed: it is {state} by now, version {version}, last changed by "
            f"{last.by} ({last.action}); look at it again and decide anew"
        )


class ForeignGridError(DeskError):
    """The ticket is in the hands of a grid on whose behalf the command was not given."""


class UnknownGridError(DeskError):
    pass


class AccountError(GridwatchError):
    """A user, token or password can't be so, or the accounts can't be read."""


class LastAdminError(AccountError):
    """Without this user nobody could administer the console any more."""


class SignInError(AccountError):
    """Not let in; says no more than that."""


class ProviderError(AccountError):
    """The provider of identities is away or answers nonsense; without tokens and secrets."""


class TooManyAttemptsError(AccountError):
    """Too many wrong passwords; ``wait_s`` from now it may be tried again."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(f"too many attempts; try again in {-(-wait_s // 60)} min")


class NotifyError(GridwatchError):
    """A message could not be delivered; ``again``: it may succeed later.

    The text names the host alone, never a key or a password.
    """

    def __init__(self, text: str, *, again: bool = True) -> None:
        self.again = again
        super().__init__(text)


class SignatureError(GridwatchError):
    """What came over a webhook is not ours, not fresh, or came before."""


class EvidenceError(GridwatchError):
    """A picture could not be blurred or written; the ticket goes on without it."""


class UnknownEvidenceError(EvidenceError):
    """There is no such picture or clip, or it was deleted."""


class StoreUnavailableError(EvidenceError):
    """The bucket for evidence can't be reached or refuses; the same call may succeed later."""


class OutboxError(GridwatchError):
    """The local outbox could not be opened or written."""
