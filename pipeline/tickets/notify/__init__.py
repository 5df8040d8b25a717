"""Who is told what happens to tickets, cameras and boxes, and by which way."""

from pipeline.tickets.notify.notices import Notices
from pipeline.tickets.notify.notifier import Notifier, try_out
from pipeline.tickets.notify.recipients import recipients_of
from pipeline.tickets.notify.store import DeadLetter, NotifyStore, Standing
from pipeline.tickets.notify.webhook import Verifier

__all__ = [
    "DeadLetter",
    "Notices",
    "Notifier",
    "NotifyStore",
    "Standing",
    "Verifier",
    "recipients_of",
    "try_out",
]
