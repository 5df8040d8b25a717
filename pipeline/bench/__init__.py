"""How much of what the machine could do bare is left: figures, floors and their ratios."""

from pipeline.bench.decode import bench_decode
from pipeline.bench.desk import Size as DeskSize
from pipeline.bench.desk import bench_desk
from pipeline.bench.detect import bench_detect
from pipeline.bench.figure import Figure
from pipeline.bench.ingest import bench_ingest
from pipeline.bench.picture import draw
from pipeline.bench.town import bench_town

__all__ = [
    "DeskSize",
    "Figure",
    "bench_decode",
    "bench_desk",
    "bench_detect",
    "bench_ingest",
    "bench_town",
    "draw",
]
