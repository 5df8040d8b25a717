"""A provider of identities on this machine, and one that misbehaves when it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

if TYPE_CHECKING:
    from pipeline.clock import Clock

CLIENT, SECRET = "gridwatch", "a secret/with: signs"


@cache
def _first_key() -> RSAKey:
    return LocalProvider.new_key()


@dataclass
class LocalProvider:
    """Signs ID tokens for whoever stands in ``person``. ``asked``: at which paths."""

    clock: Clock
    person: dict[str, Any] = field(default_factory=dict)
    in_userinfo: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # instead of the right ones
    metadata: dict[str, Any] = field(default_factory=dict)  # likewise
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # by path, raw
    sign_with: RSAKey | None = None
    algorithm: str = "RS256"
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.key = _first_key()
        self.codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.serve(self, None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.serve(self, {name: one[0] for name, one in parse_qs(body).items()})

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()

    @staticmethod
    def new_key() -> RSAKey:
        return RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(4)})

    def serve(self, request: BaseHTTPRequestHandler, form: dict[str, str] | None) -> None:
        parts = urlsplit(request.path)
        query = {name: one[0] for name, one in parse_qs(parts.query).items()}
        self.asked.append(parts.path)
        if parts.path in self.answers:
            status, body = self.answers[parts.path]
        elif parts.path == "/authorize":
            return self.redirect(request, query)
        else:
            status, said = self.answer(parts.path, form, request.headers.get("Authorization", ""))
            body = json.dumps(said).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        return None

    def redirect(self, request: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        """The person signs in at once."""
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.issuer}
        request.send_response(302)
        request.send_header("Location", f"{query['redirect_uri']}?{urlencode(back)}")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def answer(self, path: str, form: dict[str, str] | None, auth: str) -> tuple[int, Any]:
        match path:
            case "/.well-known/openid-configuration":
                ends = ("authorize", "token", "userinfo", "end")
                names = ("authorization", "token", "userinfo", "end_session")
                urls = {
                    f"{n}_endpoint": f"{self.issuer}/{e}" for n, e in zip(names, ends, strict=True)
                }
                told = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **urls}
                return 200, told | self.metadata
            case "/keys":
                return 200, KeySet([self.key]).as_dict(private=False)
            case "/token":
                return self.token(form or {}, auth)
            case "/userinfo" if auth == "Bearer access":
                return 200, {"sub": self.person["sub"], **self.in_userinfo}
        return 404, {"error": "not found"}

    def token(self, form: dict[str, str], auth: str) -> tuple[int, Any]:
        name, _, secret = base64.b64decode(auth.removeprefix("Basic ")).decode().partition(":")
        if (unquote(name), unquote(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(self.clock.now())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.claims,
        }
        key = self.sign_with or self.key
        header = {"alg": self.algorithm, "kid": key.kid}
        signed = jwt.encode(header, claims, key, algorithms=[self.algorithm])
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": signed}
