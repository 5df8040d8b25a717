"""What grid staff hold in their hands: pages and an API over the desk, behind accounts."""

from pipeline.console.accounts import Accounts
from pipeline.console.app import create_app
from pipeline.console.camera_care import CameraCare
from pipeline.console.duty_list import DutyList
from pipeline.console.office import Office
from pipeline.console.oidc import opened_provider
from pipeline.console.server import serve
from pipeline.console.watching import Watching

__all__ = [
    "Accounts",
    "CameraCare",
    "DutyList",
    "Office",
    "Watching",
    "create_app",
    "opened_provider",
    "serve",
]
