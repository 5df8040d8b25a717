"""Evidence in an S3-compatible store: AWS, MinIO, Ceph and the like, by boto3."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError, StoreUnavailableError
from pipeline.tickets.store.names import media_type_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from pipeline.settings import StoreSettings

_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_VERSIONS = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})


class Bucket:
    """Objects by the names of evidence, below the prefix of ``settings.url``.

    Raises StoreUnavailableError, without credentials, when it can't be reached or refuses. Nothing
    is asked of it before the first call. Safe among threads.
    """

    def __init__(self, settings: StoreSettings) -> None:
        assert settings.url is not None
        match = _URL.fullmatch(settings.url)
        assert match is not None  # settings see to it
        self._bucket = match[1]
        self._prefix = f"{match[2].strip('/')}/" if match[2] else ""
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def put(self, name: str, data: bytes, sha256: str) -> None:
        """Keep it. The request is signed together with the SHA-256 of what it carries."""
        with self._talking("putting") as client:
            client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + name,
                Body=data,
                ContentType=media_type_of(name),
                Metadata={"sha256": sha256},
            )

    def get(self, name: str) -> bytes | None:
        """None when there is no such object."""
        with self._talking("getting") as client:
            try:
                answer = client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            except client.exceptions.ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            data: bytes = answer["Body"].read()
            return data

    def sha256(self, name: str) -> str | None:
        """What it was when it was put there; None when there is no such object."""
        with self._talking("looking for") as client:
            try:
                head = client.head_object(Bucket=self._bucket, Key=self._prefix + name)
            except client.exceptions.ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            return str(head["Metadata"].get("sha256", ""))

    def delete(self, name: str) -> None:
        """Delete it in all its versions; raises StoreUnavailableError unless it is gone then."""
        key = self._prefix + name
        with self._talking("deleting") as client:
            for version in self._versions(client, key):
                client.delete_object(Bucket=self._bucket, Key=key, **version)
        if self.sha256(name) is not None:
            raise StoreUnavailableError(f"{self}{name} was deleted and is still there")

    def check(self) -> None:
        """Raises StoreUnavailableError unless the bucket is there and lets us in."""
        with self._talking("reaching") as client:
            client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def _versions(self, client: Any, key: str) -> list[dict[str, str]]:
        """What to delete: every version in a bucket that keeps them, else the object alone."""
        try:
            pages = client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=key
            )
            found = [
                {"VersionId": one["VersionId"]}
                for page in pages
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                if one["Key"] == key
            ]
        except client.exceptions.ClientError as error:
            if _code(error) not in _NO_VERSIONS:
                raise
            found = []
        return found or [{}]

    @contextmanager
    def _talking(self, doing: str) -> Iterator[Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

        try:
            with self._lock:
                client = self._client = self._client or self._connected()
            yield client
        except ClientError as error:
            raise StoreUnavailableError(f"{self}: {doing}: {_code(error)}") from None
        except (BotoCoreError, OSError) as error:
            # Their texts may name the endpoint, never the keys; the kind says enough.
            raise StoreUnavailableError(f"{self}: {doing}: {type(error).__name__}") from None

    def _connected(self) -> Any:
        from boto3.session import Session  # noqa: PLC0415 - an extra
        from botocore.config import Config  # noqa: PLC0415

        settings = self._settings
        session = Session(
            aws_access_key_id=_shown(settings.access_key),
            aws_secret_access_key=_shown(settings.secret_key),
            region_name=settings.region,
        )
        config = Config(
            connect_timeout=settings.timeout_s,
            read_timeout=settings.timeout_s,
            retries={"mode": "standard", "total_max_attempts": 2},
            signature_version="s3v4",
            # Other makers' stores know neither host names for buckets nor the newer checksums.
            s3={
                "addressing_style": "path" if settings.endpoint else "auto",
                "payload_signing_enabled": True,
            },
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        verify = None if settings.ca_file is None else str(settings.ca_file)
        return session.client("s3", endpoint_url=settings.endpoint, config=config, verify=verify)


def bucket_of(settings: StoreSettings) -> Bucket | None:
    """None where evidence stays on this disk. Raises InputError without the extra ``s3``."""
    if settings.url is None:
        return None
    try:
        import boto3  # noqa: F401, PLC0415 - an extra; looked for before anything depends on it
    except ModuleNotFoundError:
        raise InputError(
            "a bucket for evidence needs boto3",
            where="tickets.evidence.store.url",
            found="gridwatch without extras",
            allowed="gridwatch[s3], or null for the local folder",
        ) from None
    return Bucket(settings)


def _shown(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "refused"))
