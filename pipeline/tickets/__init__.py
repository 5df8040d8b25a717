"""Who fixes it by when: tickets, their queues, and how nothing gets lost on the way."""

from pipeline.tickets.archive import Archive, Archivist, Found, Moved, Query
from pipeline.tickets.audit import Audit, Line, Verdict, Wanted
from pipeline.tickets.board import STALE_S, CameraBoard, RefusedList, Told
from pipeline.tickets.camera_history import Stay, stays
from pipeline.tickets.camera_lists import ListInForce
from pipeline.tickets.changes import Change, Changes
from pipeline.tickets.coverage import CoverageLedger, Gap, Recent
from pipeline.tickets.coverage_records import Covered, Minute
from pipeline.tickets.delivery import News
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
from pipeline.tickets.filmer import Filmer
from pipeline.tickets.list_changes import ListChanges
from pipeline.tickets.notify import Notices, Notifier, NotifyStore, recipients_of, try_out
from pipeline.tickets.opening import OpenDesk, open_desk
from pipeline.tickets.orders import Said
from pipeline.tickets.outbox import Outbox, Refused
from pipeline.tickets.patient import PatientOutbox
from pipeline.tickets.photographer import Photographer
from pipeline.tickets.pictures import PictureKeeper, PrivacyLook, read_upload
from pipeline.tickets.redis_server import open_redis, redis_risks
from pipeline.tickets.report import Report, report_id_of, reported_place
from pipeline.tickets.reporting import ReportDesk, Reported, from_camera
from pipeline.tickets.routing import MapRound
from pipeline.tickets.shots import Shot, Shots
from pipeline.tickets.store import (
    About,
    Content,
    EvidenceStore,
    Keeper,
    Sweep,
    Who,
    open_store,
    this_user,
)
from pipeline.tickets.ticket import EvidenceRef, Filing, Step, Ticket
from pipeline.tickets.wire import TicketMessage

__all__ = [
    "PRIVACY_SCORE",
    "STALE_S",
    "About",
    "Archive",
    "Archivist",
    "Audit",
    "CameraBoard",
    "Change",
    "Changes",
    "Content",
    "CoverageLedger",
    "Covered",
    "Desk",
    "EmbeddedRedis",
    "EvidenceRef",
    "EvidenceStore",
    "Feedback",
    "Filer",
    "Filing",
    "Filmer",
    "Found",
    "Gap",
    "Keeper",
    "Line",
    "ListChanges",
    "ListInForce",
    "MapRound",
    "Minute",
    "Moved",
    "News",
    "Notices",
    "Notifier",
    "NotifyStore",
    "OpenDesk",
    "Outbox",
    "PatientOutbox",
    "Photographer",
    "PictureKeeper",
    "PrivacyLook",
    "Query",
    "Recent",
    "Refused",
    "RefusedList",
    "Report",
    "ReportDesk",
    "Reported",
    "Said",
    "Shot",
    "Shots",
    "Snapshot",
    "Stay",
    "Step",
    "Sweep",
    "Ticket",
    "TicketMessage",
    "Told",
    "Verdict",
    "Wanted",
    "Who",
    "from_camera",
    "open_desk",
    "open_redis",
    "open_store",
    "read_upload",
    "recipients_of",
    "redis_risks",
    "report_id_of",
    "reported_place",
    "snapshot_of",
    "stays",
    "this_user",
    "try_out",
    "write_evidence",
]
