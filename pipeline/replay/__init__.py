"""Recorded footage: run, truth, score, report."""

from pipeline.replay.beside import BESIDE, Outcome, beside_json, outcome
from pipeline.replay.compare import Comparison, compare, load_incidents, write_comparison
from pipeline.replay.files import write_incidents, write_json, write_tickets
from pipeline.replay.folder import clear_folder
from pipeline.replay.footage import Clip, gather
from pipeline.replay.report import write_report
from pipeline.replay.run import Played, replay
from pipeline.replay.score import score
from pipeline.replay.tickets import tickets_of
from pipeline.replay.truth import TruthEvent, load_truth

__all__ = [
    "BESIDE",
    "Clip",
    "Comparison",
    "Outcome",
    "Played",
    "TruthEvent",
    "beside_json",
    "clear_folder",
    "compare",
    "gather",
    "load_incidents",
    "load_truth",
    "outcome",
    "replay",
    "score",
    "tickets_of",
    "write_comparison",
    "write_incidents",
    "write_json",
    "write_report",
    "write_tickets",
]
