"""Who fixes it by when: tickets, their queues, and how nothing gets lost on the way."""

from pipeline.tickets.desk import Desk
from pipeline.tickets.evidence import write_evidence
from pipeline.tickets.outbox import Outbox
from pipeline.tickets.redis_server import open_redis
from pipeline.tickets.ticket import EvidenceRef, Filing, Step, Ticket

__all__ = [
    "Desk",
    "EvidenceRef",
    "Filing",
    "Outbox",
    "Step",
    "Ticket",
    "open_redis",
    "write_evidence",
]
