"""What is in a picture: model card, session, detections."""

from pipeline.detect.card import CLASSES, VEHICLES, ModelCard, counts_heads, load_card
from pipeline.detect.detections import Detections
from pipeline.detect.detector import FLOOR, Detector
from pipeline.detect.heads import (
    SURE,
    HeadCounter,
    HeadMap,
    HeadRhythm,
    head_counter,
    people_in_boxes,
    people_of,
    time_per_picture_ms,
)
from pipeline.detect.merging import merged, uncut
from pipeline.detect.predict import (
    count_people,
    pictures_in,
    predict,
    read_picture,
    time_per_look_ms,
)
from pipeline.detect.second_look import (
    SecondLook,
    SecondLookCost,
    Seen,
    again_in,
    second_look,
)
from pipeline.detect.still import look_at
from pipeline.detect.variants import fastest

__all__ = [
    "CLASSES",
    "FLOOR",
    "SURE",
    "VEHICLES",
    "Detections",
    "Detector",
    "HeadCounter",
    "HeadMap",
    "HeadRhythm",
    "ModelCard",
    "SecondLook",
    "SecondLookCost",
    "Seen",
    "again_in",
    "count_people",
    "counts_heads",
    "fastest",
    "head_counter",
    "load_card",
    "look_at",
    "merged",
    "people_in_boxes",
    "people_of",
    "pictures_in",
    "predict",
    "read_picture",
    "second_look",
    "time_per_look_ms",
    "time_per_picture_ms",
    "uncut",
]
