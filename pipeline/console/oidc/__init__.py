"""Signing in by OpenID Connect: authorisation code with PKCE, state and nonce."""

from pipeline.console.oidc.flow import Flow
from pipeline.console.oidc.mapping import mapped_to
from pipeline.console.oidc.provider import Provider, opened_provider

__all__ = ["Flow", "Provider", "mapped_to", "opened_provider"]
