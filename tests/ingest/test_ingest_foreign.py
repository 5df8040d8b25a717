"""The same source against a server that others wrote."""

import subprocess
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.ingest import Source
from pipeline.settings import IngestSettings

SERVER = Path(__file__).parents[2] / "scripts" / "gst_rtsp_server"
_PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; "
    "Gst.init(None); import sys; "
    "sys.exit(not all(map(Gst.ElementFactory.find, ('h264parse', 'rtph264pay', 'qtdemux'))))"
)


def gstreamer_is_missing():
    try:
        done = subprocess.run(["/usr/bin/python3", "-c", _PROBE], check=False, capture_output=True)
    except OSError:
        return True
    return done.returncode != 0


@pytest.mark.skipif(gstreamer_is_missing(), reason="gst-rtsp-server isn't installed here")
def test_looks_and_evidence_come_from_gst_rtsp_server(make_clip):
    clip = make_clip(seconds=20)
    server = subprocess.Popen(
        ["/usr/bin/python3", str(SERVER), str(clip), "street"], stdout=subprocess.PIPE, text=True
    )
    try:
        url = f"rtsp://127.0.0.1:{int(server.stdout.readline())}/street"
        source = Source("c", url, IngestSettings(), size=(320, 192), clock=SystemClock())
        looks = source.looks()
        taken = [next(looks) for _ in range(3)]
        looks.close()
        assert taken[2].captured_at - taken[1].captured_at == pytest.approx(1.0, abs=0.3)
        assert taken[0].source_size == (320, 180)
        assert source.full_picture(taken[2].captured_at).shape == (180, 320, 3)
    finally:
        server.kill()
        server.communicate()
