"""What becomes of tickets: their evidence, their archive, the reports of people."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from pipeline.settings_base import Seconds, Section


class StoreSettings(Section):
    """Where evidence is kept in the end."""

    url: str | None = Field(
        None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[0-9A-Za-z_.=-]+)*/?$",
        description="s3://bucket/prefix; null: data_dir/evidence alone",
    )
    endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+/?$",
        description="http(s)://host:port of an S3-compatible store; null: AWS",
    )
    region: str | None = Field(
        None, pattern=r"^[a-z0-9-]{1,40}$", description="where it lies, as its maker calls it"
    )
    access_key: SecretStr | None = Field(
        None, description="null: as AWS's own tools find it (environment, profile, role)"
    )
    secret_key: SecretStr | None = Field(None, description="goes with access_key")
    ca_file: Path | None = Field(
        None, description="PEM file of certificates trusted for it; null: those of the system"
    )
    timeout_s: Seconds = Field(10.0, gt=0, description="longest wait for one answer")
    waiting_mb: int = Field(
        2000, ge=1, description="waits on this disk at most; then the oldest evidence gives way"
    )


class EvidenceSettings(Section):
    """Pictures and clips attached to tickets."""

    jpeg_quality: int = Field(85, ge=30, le=100, description="of the pictures that are kept")
    longest_side_px: int = Field(1280, ge=320, description="larger pictures are scaled down")
    min_free_mb: int = Field(200, ge=0, description="below this much free disk only tickets go on")
    clip_s: float = Field(
        4.0, ge=0, le=15, description="seconds of a clip before and after a finding; 0: no clips"
    )
    store: StoreSettings = StoreSettings()


class ArchiveSettings(Section):
    """Where tickets go that nobody acts on any more."""

    url: str | None = Field(
        None,
        repr=False,
        description="postgresql:// URL, the same for all boxes; null: an SQLite file in data_dir",
    )
    after_days: float = Field(
        7.0, ge=2, le=3650, description="nobody has heard of a done ticket for so long: it moves"
    )
    every_s: Seconds = Field(600.0, gt=0, description="how often a box looks for such tickets")


class ReportSettings(Section):
    """What residents and staff report."""

    radius_m: float = Field(
        25.0, gt=0, le=150, description="how far the place that a telephone tells may be off"
    )
    pictures: int = Field(3, ge=0, le=10, description="of one report at most")
    picture_mb: int = Field(8, ge=1, le=50, description="of one picture at most")
    picture_mpx: float = Field(
        50.0, gt=0, le=200, description="million pixels of one picture at most"
    )
    longest_side_px: int = Field(2048, ge=320, description="larger ones may be decoded smaller")


class LiveSettings(Section):
    """Pictures for people who look at cameras in the console."""

    per_s: float = Field(
        4.0, ge=0, le=20, description="live pictures that a box makes in a second at most; 0: none"
    )


class TicketSettings(Section):
    """How incidents and reports become tickets."""

    cool_down_s: Seconds = Field(600.0, description="a ticket closed this recently still merges")
    retry_s: Seconds = Field(2.0, gt=0, description="pause before the outbox tries Redis again")
    keep_acknowledged_s: Seconds = Field(
        86400.0, description="an entry that every reader of its queue has taken stays this long"
    )
    evidence: EvidenceSettings = EvidenceSettings()
    archive: ArchiveSettings = ArchiveSettings()
    file_within_s: Seconds = Field(
        600.0, description="a finding is filed in time (按时立案) if it is decided on within this"
    )
    reports: ReportSettings = ReportSettings()
    live: LiveSettings = LiveSettings()
