"""What it means: tracks, blockage, road surface, crowd, confirmation, clearing, Incident."""

from pipeline.hazards.analyst import Analyst, Change
from pipeline.hazards.incident import Hazard, Incident, Severity, family_of, incident_id_of

__all__ = ["Analyst", "Change", "Hazard", "Incident", "Severity", "family_of", "incident_id_of"]
