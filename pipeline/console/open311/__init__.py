"""Open311 GeoReport v2: residents' reports come in here, and what became of them goes out."""

from pipeline.console.open311.app import create_open311, open311_router
from pipeline.console.open311.endpoint import Open311
from pipeline.console.open311.keys import ApiKey, ApiKeys

__all__ = ["ApiKey", "ApiKeys", "Open311", "create_open311", "open311_router"]
