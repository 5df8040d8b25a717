"""How people bring a case to its end: done, with a picture; looked at; or not done after all.

The picture is kept first, then one atomic step refers to it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from pipeline.tickets.report import MOST_TEXT, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.tickets.desk import Desk
    from pipeline.tickets.orders import Said
    from pipeline.tickets.pictures import PictureKeeper
    from pipeline.tickets.ticket import Ticket
    from pipeline.tickets.transitions import Action


class Feedback:
    """Feedback of handlers, and what those say who check it."""

    def __init__(self, desk: Desk, pictures: PictureKeeper) -> None:
        self._desk = desk
        self._pictures = pictures

    def done(
        self, ticket_id: str, *, picture: NDArray[np.uint8] | None = None, **said: Unpack[Said]
    ) -> Ticket:
        """The handler has dealt with it; ``picture`` (BGR uint8 (H, W, 3)) shows it.

        The ticket is ``fed_back``, or ``closed`` at once where its duty leaves the check to the
        camera and that has seen the hazard gone. Raises as ``Desk.move`` does, and EvidenceError
        when the picture can't be covered; then nothing was done.
        """
        return self._with_picture(
            lambda said: self._desk.move(ticket_id, "feed_back", **said),
            (ticket_id, "feedback"),
            said,
            picture,
        )

    def moved(
        self,
        ticket_id: str,
        action: Action,
        *,
        picture: NDArray[np.uint8] | None = None,
        **said: Unpack[Said],
    ) -> Ticket:
        """Any other step that a picture may explain: returned, passed up, suspended, rejected.

        ``picture`` and errors as with ``done``.
        """
        return self._with_picture(
            lambda said: self._desk.move(ticket_id, action, **said),
            (ticket_id, action),
            said,
            picture,
        )

    def checked(
        self,
        ticket_id: str,
        *,
        good: bool,
        picture: NDArray[np.uint8] | None = None,
        **said: Unpack[Said],
    ) -> Ticket:
        """Somebody has looked: it is gone (``good``), or it goes back to the handler (返工).

        ``picture`` and errors as with ``done``.
        """
        return self._with_picture(
            lambda said: self._desk.verify(ticket_id, good=good, **said),
            (ticket_id, "check"),
            said,
            picture,
        )

    def _with_picture(
        self,
        step: Callable[[Said], Ticket],
        named: tuple[str, str],
        said: Said,
        picture: NDArray[np.uint8] | None,
    ) -> Ticket:
        ticket_id, what = named
        command_id = said.get("command_id") or uuid.uuid4().hex
        said = {
            **said,
            "note": clean_text(said.get("note", ""), MOST_TEXT, "note", lines=True),
            "command_id": command_id,
        }
        if picture is None:
            return step(said)
        ticket = self._desk.ticket(ticket_id)  # an unknown one leaves no picture
        with self._pictures.for_step(ticket, what, command_id, picture) as path:
            return step({**said, "facts": {**(said.get("facts") or {}), "picture": path}})
