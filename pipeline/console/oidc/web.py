"""JSON from a provider over HTTP: bounded in time and size, no redirects."""

from __future__ import annotations

import json
import ssl
import threading
from typing import TYPE_CHECKING, Any

import httpx

from pipeline.errors import ProviderError

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.settings_oidc import OidcSettings

_LARGEST = 1_000_000  # bytes of an answer


class Web:
    """Raises ProviderError; its text has the host and what is wrong, never what was sent."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client: httpx.Client | None = None
        self._opening = threading.Lock()

    def get(self, address: str, *, bearer: str | None = None) -> dict[str, Any]:
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        status, answer = self._ask("GET", address, headers=headers)
        if status != 200:
            raise ProviderError(f"{httpx.URL(address).host} answers {status}")
        return answer

    def post(
        self, address: str, form: dict[str, str], basic: tuple[str, str] | None
    ) -> tuple[int, dict[str, Any]]:
        return self._ask("POST", address, data=form, auth=basic)

    def _ask(self, method: str, address: str, **sent: Any) -> tuple[int, dict[str, Any]]:
        host = httpx.URL(address).host
        began, body = self._clock.monotonic(), bytearray()
        try:
            with self._opened().stream(method, address, **sent) as answer:
                for part in answer.iter_bytes():
                    body += part
                    late = self._clock.monotonic() - began > 2 * self._settings.timeout_s
                    if len(body) > _LARGEST or late:
                        raise ProviderError(f"{host} answers too much, or too slowly")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise ProviderError(f"{host} can't be reached: {type(error).__name__}") from None
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise ProviderError(f"{host} answers {answer.status_code} and no JSON") from None
        if not isinstance(found, dict):
            raise ProviderError(f"{host} answers no JSON object")
        return answer.status_code, found

    def _opened(self) -> httpx.Client:
        """Opened at the first need: reading certificates takes its time."""
        with self._opening:
            if self._client is None:
                trusted = self._settings.ca_file
                try:
                    context = ssl.create_default_context(cafile=trusted)
                except (OSError, ssl.SSLError) as error:
                    raise ProviderError(f"ca_file can't be read: {error}") from None
                self._client = httpx.Client(
                    timeout=self._settings.timeout_s,
                    verify=context,
                    follow_redirects=False,
                    trust_env=False,
                    headers={"Accept": "application/json"},
                )
            return self._client
