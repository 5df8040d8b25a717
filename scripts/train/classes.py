"""The classes a street model knows, in the order of their numbers."""

from __future__ import annotations

NAMES = (
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "bus",
    "truck",
    "cavity",
    "crash",
    "debris",
    "fallen_tree",
    "barrier",
)
IDS = {name: number for number, name in enumerate(NAMES)}

# A data folder that names no classes has these.
FIRST_NAMES = NAMES[:8]

# Classes that COCO has too, and the numbers they have there.
COCO_IDS = {"person": 0, "bicycle": 1, "car": 2, "motorcycle": 3, "bus": 5, "truck": 7}
TRAFFIC = tuple(IDS[name] for name in COCO_IDS)
HAZARDS = tuple(IDS[name] for name in NAMES if name not in COCO_IDS)
