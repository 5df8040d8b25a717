"""What a provider's claims make of somebody here: name, role, grids. Without a mapping nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from pipeline.console.accounts import Vouched
from pipeline.errors import SignInError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.settings_oidc import OidcMapping, OidcSettings
    from pipeline.town import GridMap

log = structlog.get_logger()

# Without grids these would see the whole town: it must be said that they may.
_BY_GRID = ("member", "head", "viewer")


def mapped_to(claims: Mapping[str, Any], settings: OidcSettings, grids: GridMap) -> Vouched:
    """Raises SignInError where the mapping lets nobody in with these claims."""
    values = _texts(claim(claims, settings.role_claim))
    found = next((one for one in settings.mapping if one.value in values), None)
    if found is None:
        raise SignInError(f"no mapping for what {settings.role_claim} holds")
    name = claim(claims, settings.name_claim)
    if not isinstance(name, str) or not name.strip():
        raise SignInError(f"{settings.name_claim} holds no name")
    codes = _grids_of(found, claims, settings, grids)
    return Vouched(settings.issuer, str(claims["sub"]), name, found.role, codes)


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by the way to it (``realm_access.roles``); None if there is none."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _grids_of(
    found: OidcMapping, claims: Mapping[str, Any], settings: OidcSettings, grids: GridMap
) -> frozenset[str]:
    if found.grids or settings.grids_claim is None:
        codes = set(found.grids)
    elif found.role in _BY_GRID:
        told = claim(claims, settings.grids_claim)
        codes = {code for text in _texts(told) for code in text.replace(",", " ").split()}
    else:
        return frozenset()  # these roles reach everywhere
    known = frozenset(code for code in codes if code in grids)
    if unknown := sorted(codes - known):
        log.warning("console.oidc_unknown_grids", grids=unknown[:20])
    needs_some = found.role in ("member", "head") or bool(codes) or settings.grids_claim is not None
    if not known and needs_some and found.role in _BY_GRID:
        raise SignInError(f"a {found.role} needs grids, and none is known")
    return known


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]
