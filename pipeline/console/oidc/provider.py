"""A provider of identities asked over HTTP, and its answers believed only when they hold.

Neither codes nor tokens nor the secret stand in a log or an error: those name what was asked for
and what is wrong with the answer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pipeline.console.oidc.mapping import claim
from pipeline.console.oidc.web import Web
from pipeline.errors import ProviderError, SettingsError, SignInError
from pipeline.settings_oidc import safe_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.clock import Clock
    from pipeline.console.oidc.flow import Flow
    from pipeline.settings_oidc import OidcSettings

BACK = "/sign-in/oidc/back"
_KEEP_S = 3600.0  # what the provider says of itself
_AGAIN_S = 10.0  # it is away: so long nobody waits for it again
_NEW_KEYS_S = 60.0  # keys are fetched anew for a token that none of them signed, this often at most
_LEEWAY_S = 60
# Signatures by a key of the provider's alone; never by the shared secret, never none.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_LONGEST_SUBJECT = 255


def opened_provider(settings: OidcSettings | None, clock: Clock) -> Provider | None:
    """The provider of these settings; None where there are none. Raises SettingsError."""
    if settings is None:
        return None
    secret, file = settings.client_secret, settings.client_secret_file
    if file is None:
        return Provider(settings, None if secret is None else secret.get_secret_value(), clock)
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        raise SettingsError(
            "can't be read, or is empty",
            file=file,
            where="console.oidc.client_secret_file",
            allowed="a file that holds the client's secret",
        )
    return Provider(settings, text, clock)


class Provider:
    """Methods raise ProviderError when it is away or answers nonsense. Thread-safe."""

    def __init__(self, settings: OidcSettings, secret: str | None, clock: Clock) -> None:
        self.settings = settings
        self._secret = secret
        self._clock = clock
        self._web = Web(settings, clock)
        self._lock = threading.Lock()
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._away: tuple[float, ProviderError] | None = None

    def sign_in_address(self, flow: Flow) -> str:
        """Where the browser goes to sign in."""
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self._back,
            "scope": " ".join(dict.fromkeys(["openid", *self.settings.scopes])),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return self._with(self._address("authorization_endpoint"), asked)

    def sign_out_address(self) -> str | None:
        """Where the browser goes to sign out there, too; None where the provider has no such."""
        if self._told().get("end_session_endpoint") is None:
            return None
        after = self.settings.public_url.rstrip("/") + "/sign-in"
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": after}
        return self._with(self._address("end_session_endpoint"), asked)

    def claims(self, code: str, flow: Flow) -> Mapping[str, Any]:
        """What the provider says of whoever came back with this code.

        Raises SignInError as well, for a code that the provider doesn't take.
        """
        tokens = self._exchange(code, flow)
        found = self._checked(tokens.get("id_token"), flow)
        wanted = claim(found, self.settings.role_claim)
        access = tokens.get("access_token")
        if wanted is None and isinstance(access, str) and "userinfo_endpoint" in self._told():
            more = self._web.get(self._address("userinfo_endpoint"), bearer=access)
            if more.get("sub") != found["sub"]:
                raise ProviderError("userinfo is about somebody else")
            return {**more, **found}
        return found

    @property
    def _back(self) -> str:
        return self.settings.public_url.rstrip("/") + BACK

    def _exchange(self, code: str, flow: Flow) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": flow.verifier,
        }
        basic, client = None, self.settings.client_id
        if self._secret is None:
            form["client_id"] = client
        elif "client_secret_basic" in self._told().get(
            "token_endpoint_auth_methods_supported", ["client_secret_basic"]
        ):
            basic = (quote(client, safe=""), quote(self._secret, safe=""))
        else:
            form |= {"client_id": client, "client_secret": self._secret}
        status, answer = self._web.post(self._address("token_endpoint"), form, basic)
        if status == 200:
            return answer
        error = str(answer.get("error", ""))[:40]
        if error == "invalid_grant":
            raise SignInError("the provider doesn't take the code: too late, or used already")
        raise ProviderError(f"token_endpoint answers {status} {error}".strip())

    def _checked(self, token: Any, flow: Flow) -> dict[str, Any]:
        """The claims of an ID token (OpenID Connect Core 3.1.3.7)."""
        if not isinstance(token, str):
            raise ProviderError("token_endpoint gives no id_token")
        read = self._read(token)
        client = self.settings.client_id
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock.now()),
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": client},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": flow.nonce},
        )
        try:
            registry.validate(read)
        except (JoseError, TypeError, ValueError) as error:
            name = getattr(error, "claim", "") or type(error).__name__
            raise ProviderError(f"id_token doesn't hold: {name}") from None
        audience = read["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if read.get("azp", None if several else client) != client:
            raise ProviderError("id_token is for another client")
        subject = read["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise ProviderError("id_token has no subject")
        return read

    def _read(self, token: str) -> dict[str, Any]:
        """What it says, if one of the provider's keys signed it."""
        for older_than_s in (_KEEP_S, _NEW_KEYS_S):
            keys, at = self._key_set(older_than_s)
            try:
                return dict(jwt.decode(token, keys, algorithms=list(_ALGORITHMS)).claims)
            except (JoseError, ValueError, TypeError) as error:
                if self._clock.monotonic() - at < _NEW_KEYS_S:
                    raise ProviderError(
                        f"id_token isn't signed by the provider: {type(error).__name__}"
                    ) from None
        raise ProviderError("id_token isn't signed by the provider")

    def _key_set(self, older_than_s: float) -> tuple[KeySet, float]:
        address = self._address("jwks_uri")
        with self._lock:
            now = self._clock.monotonic()
            if self._keys is None or now - self._keys[0] >= older_than_s:
                try:
                    keys = KeySet.import_key_set(self._web.get(address))  # type: ignore[arg-type]
                except (JoseError, ValueError, TypeError, KeyError, AttributeError):
                    raise ProviderError("jwks_uri gives no keys") from None
                self._keys = (now, keys)
            return self._keys[1], self._keys[0]

    def _told(self) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery)."""
        with self._lock:
            now = self._clock.monotonic()
            if self._metadata is not None and now - self._metadata[0] < _KEEP_S:
                return self._metadata[1]
            if self._away is not None and now - self._away[0] < _AGAIN_S:
                raise self._away[1]
            try:
                found = self._discovered()
            except ProviderError as error:
                self._away = (self._clock.monotonic(), error)
                raise
            self._metadata, self._away = (now, found), None
            return found

    def _discovered(self) -> dict[str, Any]:
        issuer = self.settings.issuer
        found = self._web.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise ProviderError("the provider calls itself by another name than issuer")
        return found

    def _address(self, name: str) -> str:
        address = self._told().get(name)
        try:
            safe_address(str(address).partition("?")[0])
        except ValueError:
            raise ProviderError(f"the provider has no {name}, or not by https") from None
        return str(address)

    @staticmethod
    def _with(address: str, asked: Mapping[str, str]) -> str:
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"
