"""Who fixes it by when: tickets, their queues, and how nothing gets lost on the way."""

from pipeline.tickets.board import STALE_S, CameraBoard, RefusedList, Told
from pipeline.tickets.coverage import CoverageLedger, Gap, Recent
from pipeline.tickets.coverage_records import Covered, Minute
from pipeline.tickets.desk import Desk
from pipeline.tickets.embedded_redis import EmbeddedRedis
from pipeline.tickets.evidence import (
    PRIVACY_SCORE,
    Filer,
    Snapshot,
    snapshot_of,
    write_evidence,
)
from pipeline.tickets.notify import Notices, Notifier, NotifyStore, recipients_of, try_out
from pipeline.tickets.opening import OpenDesk, open_desk
from pipeline.tickets.outbox import Outbox, Refused
from pipeline.tickets.patient import PatientOutbox
from pipeline.tickets.redis_server import open_redis, redis_risks
from pipeline.tickets.ticket import EvidenceRef, Filing, Step, Ticket
from pipeline.tickets.wire import TicketMessage

__all__ = [
    "PRIVACY_SCORE",
    "STALE_S",
    "CameraBoard",
    "CoverageLedger",
    "Covered",
    "Desk",
    "EmbeddedRedis",
    "EvidenceRef",
    "Filer",
    "Filing",
    "Gap",
    "Minute",
    "Notices",
    "Notifier",
    "NotifyStore",
    "OpenDesk",
    "Outbox",
    "PatientOutbox",
    "Recent",
    "Refused",
    "RefusedList",
    "Snapshot",
    "Step",
    "Ticket",
    "TicketMessage",
    "Told",
    "open_desk",
    "open_redis",
    "recipients_of",
    "redis_risks",
    "snapshot_of",
    "try_out",
    "write_evidence",
]
