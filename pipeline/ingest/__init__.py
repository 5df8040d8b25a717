"""Pictures in: from RTSP cameras and recorded files to looks at model size."""

from pipeline.ingest.cameras import Ingest
from pipeline.ingest.check import check_cameras
from pipeline.ingest.coverage import Coverage
from pipeline.ingest.device import why_no_device
from pipeline.ingest.evidence import Kept, PacketGroup, picture_of
from pipeline.ingest.look import PURPOSES, Look, Purpose
from pipeline.ingest.pace import Pace
from pipeline.ingest.post import WorkerState
from pipeline.ingest.ring import FrameRing
from pipeline.ingest.schedule import LookSchedule
from pipeline.ingest.shards import shard_of
from pipeline.ingest.source import Source
from pipeline.ingest.state import CameraState, CameraStatus
from pipeline.ingest.tallies import Spread, SpreadCounts
from pipeline.ingest.view_files import accept_view
from pipeline.ingest.windows import Window, WindowPlan, plan_windows
from pipeline.ingest.windows_drawn import draw_windows
from pipeline.ingest.workers import Workers

__all__ = [
    "PURPOSES",
    "CameraState",
    "CameraStatus",
    "Coverage",
    "FrameRing",
    "Ingest",
    "Kept",
    "Look",
    "LookSchedule",
    "Pace",
    "PacketGroup",
    "Purpose",
    "Source",
    "Spread",
    "SpreadCounts",
    "Window",
    "WindowPlan",
    "WorkerState",
    "Workers",
    "accept_view",
    "check_cameras",
    "draw_windows",
    "picture_of",
    "plan_windows",
    "shard_of",
    "why_no_device",
]
