"""What programs ask: the same desk, the same table of rules, as JSON."""

from pipeline.console.api.document import document_text
from pipeline.console.api.v1 import router

__all__ = ["document_text", "router"]
