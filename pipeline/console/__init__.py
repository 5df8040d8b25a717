"""What grid staff hold in their hands: pages and an API over the desk, behind accounts."""

from pipeline.console.accounts import Accounts
from pipeline.console.app import create_app
from pipeline.console.duty_list import DutyList
from pipeline.console.office import Office
from pipeline.console.server import serve

__all__ = ["Accounts", "DutyList", "Office", "create_app", "serve"]
