"""The status page: tickets as they arrive, what waits where, and how the cameras are."""

from pipeline.console.app import create_app
from pipeline.console.server import serve

__all__ = ["create_app", "serve"]
