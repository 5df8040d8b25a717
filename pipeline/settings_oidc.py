"""Settings of signing in by OpenID Connect: who vouches for people, and what they may then do."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pipeline.settings_base import Seconds, Section

RoleName = Literal["member", "head", "command", "operator", "viewer", "admin"]

_CLAIM = re.compile(r"[^\s.]+(\.[^\s.]+)*")


def safe_address(text: str) -> str:
    """By https, or by http from this very machine: tokens and secrets go over it."""
    parts = urlsplit(text)
    here = parts.hostname == "localhost" or _is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise ValueError("an address that begins with https://")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("an address without ?, # and a user")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _claim(text: str) -> str:
    if not _CLAIM.fullmatch(text):
        raise ValueError('the name of a claim, such as "groups" or "realm_access.roles"')
    return text


Claim = Annotated[str, AfterValidator(_claim)]


class OidcMapping(Section):
    """What somebody may do in whose claim this value stands."""

    value: str = Field(min_length=1, description="what the claim is or holds, e.g. grid-staff")
    role: RoleName = Field(description="the role in the console")
    grids: list[str] = Field(
        default_factory=list, description="codes of the grids; empty: grids_claim, or the town"
    )


class OidcSettings(Section):
    """One provider of identities (统一身份认证), beside passwords."""

    issuer: Annotated[str, AfterValidator(safe_address)] = Field(
        description="the provider's name, as its tokens state it; https"
    )
    client_id: str = Field(min_length=1, description="what the provider calls this console")
    client_secret: SecretStr | None = Field(
        None, description="its secret; better GRIDWATCH_CONSOLE__OIDC__CLIENT_SECRET"
    )
    client_secret_file: Path | None = Field(None, description="or a file that holds it")
    public_url: Annotated[str, AfterValidator(safe_address)] = Field(
        description="how browsers reach this console, e.g. https://grid.example.cn; "
        "/sign-in/oidc/back below it is registered with the provider"
    )
    label: str = Field(
        "统一身份认证 / single sign-on", min_length=1, max_length=60, description="on the button"
    )
    scopes: list[str] = Field(default_factory=lambda: ["openid", "profile"])
    name_claim: Claim = Field("preferred_username", description="what a new user is called")
    role_claim: Claim = Field("groups", description="a text, or a list of texts")
    grids_claim: Claim | None = Field(None, description="a list of grid codes, or codes in a text")
    mapping: list[OidcMapping] = Field(
        min_length=1, description="the first that fits holds; whom none fits isn't let in"
    )
    timeout_s: Seconds = Field(5.0, gt=0, le=60, description="the provider must answer within this")
    ca_file: Path | None = Field(None, description="certificate of the provider's authority (PEM)")

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.client_secret is not None and self.client_secret_file is not None:
            raise ValueError("client_secret or client_secret_file, not both")
        return self
