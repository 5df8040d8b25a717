"""How much of what the machine could do bare is left: figures, floors and their ratios."""

from pipeline.bench.figure import Figure
from pipeline.bench.ingest import bench_ingest

__all__ = ["Figure", "bench_ingest"]
