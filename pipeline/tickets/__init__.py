"""Who fixes it by when: tickets, their queues, and how nothing gets lost on the way."""

from pipeline.tickets.archive import Archive, Archivist, Found, Moved, Query
from pipeline.tickets.audit import Audit, Line, Verdict
from pipeline.tickets.board import STALE_S, CameraBoard, RefusedList, Told
from pipeline.tickets.changes import Change, Changes
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
from pipeline.tickets.feedback import Feedback
from pipeline.tickets.notify import Notices, Notifier, NotifyStore, recipients_of, try_out
from pipeline.tickets.opening import OpenDesk, open_desk
from pipeline.tickets.orders import Said
from pipeline.tickets.outbox import Outbox, Refused
from pipeline.tickets.patient import PatientOutbox
from pipeline.tickets.pictures import PrivacyLook, read_upload
from pipeline.tickets.redis_server import open_redis, redis_risks
from pipeline.tickets.report import Report, report_id_of, reported_place
from pipeline.tickets.reporting import ReportDesk, Reported, from_camera
from pipeline.tickets.routing import MapRound
from pipeline.tickets.ticket import EvidenceRef, Filing, Step, Ticket
from pipeline.tickets.wire import TicketMessage

__all__ = [
    "PRIVACY_SCORE",
    "STALE_S",
    "Archive",
    "Archivist",
    "Audit",
    "CameraBoard",
    "Change",
    "Changes",
    "CoverageLedger",
    "Covered",
    "Desk",
    "EmbeddedRedis",
    "EvidenceRef",
    "Feedback",
    "Filer",
    "Filing",
    "Found",
    "Gap",
    "Line",
    "MapRound",
    "Minute",
    "Moved",
    "Notices",
    "Notifier",
    "NotifyStore",
    "OpenDesk",
    "Outbox",
    "PatientOutbox",
    "PrivacyLook",
    "Query",
    "Recent",
    "Refused",
    "RefusedList",
    "Report",
    "ReportDesk",
    "Reported",
    "Said",
    "Snapshot",
    "Step",
    "Ticket",
    "TicketMessage",
    "Told",
    "Verdict",
    "from_camera",
    "open_desk",
    "open_redis",
    "read_upload",
    "recipients_of",
    "redis_risks",
    "report_id_of",
    "reported_place",
    "snapshot_of",
    "try_out",
    "write_evidence",
]
