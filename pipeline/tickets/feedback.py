"""How people bring a case to its end: done, with a picture; looked at; or not done after all.

The picture is kept first, then one atomic step refers to it. A step that is refused leaves no
picture behind, only the record that it was deleted.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from pipeline.errors import DeskError, DeskUnavailableError
from pipeline.tickets.report import MOST_TEXT, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.tickets.desk import Desk
    from pipeline.tickets.pictures import PictureKeeper
    from pipeline.tickets.ticket import Ticket


class Feedback:
    """Feedback of handlers, and what those say who check it."""

    def __init__(self, desk: Desk, pictures: PictureKeeper, clock: Clock) -> None:
        self._desk = desk
        self._pictures = pictures
        self._clock = clock

    def done(
        self,
        ticket_id: str,
        *,
        by: str,
        note: str = "",
        picture: NDArray[np.uint8] | None = None,
        command_id: str = "",
    ) -> Ticket:
        """The handler has dealt with it; ``picture`` (BGR uint8 (H, W, 3)) shows it.

        The ticket is ``fed_back``, or ``closed`` at once where its duty leaves the check to the
        camera and that has seen the hazard gone. The same ``command_id`` twice is taken once.
        Raises UnknownTicketError, DeskError where the table forbids it, and EvidenceError when the
        picture can't be covered; then nothing was done.
        """
        return self._with_picture(
            lambda facts, command, text: self._desk.move(
                ticket_id, "feed_back", by=by, note=text, command_id=command, facts=facts
            ),
            (ticket_id, "feedback", command_id),
            note,
            picture,
        )

    def checked(
        self,
        ticket_id: str,
        *,
        good: bool,
        by: str,
        note: str = "",
        picture: NDArray[np.uint8] | None = None,
        command_id: str = "",
    ) -> Ticket:
        """Somebody has looked: it is gone (``good``), or it goes back to the handler (返工).

        ``picture`` and errors as with ``done``.
        """
        return self._with_picture(
            lambda facts, command, text: self._desk.verify(
                ticket_id, good=good, by=by, note=text, command_id=command, facts=facts
            ),
            (ticket_id, "check", command_id),
            note,
            picture,
        )

    def _with_picture(
        self,
        step: Callable[[Mapping[str, str], str, str], Ticket],
        name: tuple[str, str, str],
        note: str,
        picture: NDArray[np.uint8] | None,
    ) -> Ticket:
        ticket_id, what, command_id = name
        text = clean_text(note, MOST_TEXT, "note", lines=True)
        command_id = command_id or uuid.uuid4().hex
        if picture is None:
            return step({}, command_id, text)
        ticket = self._desk.ticket(ticket_id)  # an unknown one leaves no picture
        # A command's name comes from outside; in a path stands its hash.
        part = what + hashlib.sha256(command_id.encode()).hexdigest()[:12]
        path = self._pictures.of_ticket(ticket, part, self._clock.now(), picture)
        try:
            return step({"picture": path}, command_id, text)
        except DeskUnavailableError:
            raise  # it may have been taken all the same, and its picture must be there then
        except DeskError:
            self._pictures.discard(path, "its step was refused")
            raise
