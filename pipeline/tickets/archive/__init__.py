"""Where tickets and the audit go when nobody acts on them any more: a SQL database."""

from pipeline.tickets.archive.archivist import Archivist, Moved
from pipeline.tickets.archive.past import Past
from pipeline.tickets.archive.search import Found, Query
from pipeline.tickets.archive.store import Archive

__all__ = ["Archive", "Archivist", "Found", "Moved", "Past", "Query"]
