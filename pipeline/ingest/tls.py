"""Whose certificate is believed when a camera is opened by rtsps://.

FFmpeg checks none unless told to, and then says "I/O error" whatever is wrong with one; so it is
told to here, and what is wrong is found out with Python's own TLS.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from pipeline.ingest.gate import host_of

if TYPE_CHECKING:
    from pipeline.settings import IngestSettings


@dataclass(frozen=True, slots=True)
class Trust:
    """``verify``: check the certificate; ``ca_file``: by these (PEM), None: there are none."""

    verify: bool
    ca_file: str | None

    @classmethod
    def of(cls, url: str, settings: IngestSettings) -> Self:
        """What the settings say of the device this URL leads to."""
        host = settings.hosts.get(host_of(url, settings.hosts))
        verify = settings.tls.verify if host is None or host.verify is None else host.verify
        given = settings.tls.ca_file
        return cls(verify, ssl.get_default_verify_paths().cafile if given is None else str(given))

    def options(self, url: str) -> dict[str, str]:
        """FFmpeg's options for opening this URL."""
        if urlsplit(url).scheme != "rtsps":
            return {}
        if not self.verify:
            return {"tls_verify": "0"}
        return {"tls_verify": "1"} | ({"ca_file": self.ca_file} if self.ca_file else {})

    def context(self) -> ssl.SSLContext:
        """The same rules for Python. Raises OSError when ``ca_file`` can't be read."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # cameras' certificates are seldom perfect
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context
