"""What grid staff hold in their hands: pages and an API over the desk, behind accounts."""

from pipeline.console.accounts import Accounts
from pipeline.console.app import create_app
from pipeline.console.office import Office
from pipeline.console.server import serve

__all__ = ["Accounts", "Office", "create_app", "serve"]
