"""Pictures of an incident, written only with heads and number plates blurred."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.hazards.incident import Incident
    from pipeline.settings import EvidenceSettings
    from pipeline.tickets.ticket import EvidenceRef


def write_evidence(
    picture: NDArray[np.uint8],
    boxes_px: NDArray[np.float32] | None,
    class_names: Sequence[str],
    incident: Incident,
    settings: EvidenceSettings,
    data_dir: Path,
) -> EvidenceRef:
    """Write both pictures of an incident. ``picture`` BGR (H, W, 3), ``boxes_px`` (N, 4) xyxy.

    The boxes must come from the whole picture at a low threshold (0.1); None: EvidenceError.
    """
    raise NotImplementedError
