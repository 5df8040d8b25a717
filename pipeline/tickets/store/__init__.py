"""Evidence as it is kept, read, carried to a bucket and deleted; everything with a record."""

from pipeline.tickets.store.keeper import Keeper
from pipeline.tickets.store.ledger import Item
from pipeline.tickets.store.names import media_type_of, name_at, name_of, owner_of
from pipeline.tickets.store.store import (
    About,
    Content,
    EvidenceStore,
    Who,
    open_store,
    this_user,
)
from pipeline.tickets.store.sweep import Due, Sweep, Swept

__all__ = [
    "About",
    "Content",
    "Due",
    "EvidenceStore",
    "Item",
    "Keeper",
    "Sweep",
    "Swept",
    "Who",
    "media_type_of",
    "name_at",
    "name_of",
    "open_store",
    "owner_of",
    "this_user",
]
