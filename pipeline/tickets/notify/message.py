"""One message for one recipient, whatever way it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipeline.tickets.event_wire import Event


@dataclass(frozen=True, slots=True)
class Message:
    """What one or many events say.

    ``message_id`` stays the same however often it is tried. ``title`` is one line, ``lines`` the
    text below it; ``events`` are in the order in which they happened, ``made_at`` Unix seconds.
    """

    message_id: str
    title: str
    lines: tuple[str, ...]
    events: tuple[Event, ...]
    made_at: float

    @property
    def text(self) -> str:
        return "\n".join((self.title, *self.lines))


class Channel(Protocol):
    """A way to a recipient."""

    def send(self, message: Message, now: float) -> None:
        """Returns when the other side has taken it; raises NotifyError. ``now``: Unix seconds."""
        ...
