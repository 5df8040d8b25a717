"""A step of a ticket as a form sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile

from pipeline.console.acting import Command
from pipeline.console.context import Refused, visit_of
from pipeline.console.guard import address_of

if TYPE_CHECKING:
    from fastapi import Request

    from pipeline.console.claims import Claim


async def command_of(request: Request, action: str, claim: Claim | None = None) -> Command:
    """What the user asks for; see Command. Raises Refused (422) where no version is told."""
    visit = visit_of(request)
    photo = visit.form.get("photo") if visit.form is not None else None
    data = await photo.read() if isinstance(photo, UploadFile) else None
    version = visit.text("version")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise Refused(
            422, ("请求不完整，请刷新后再试", "version: the ticket's that the page showed")
        )
    return Command(
        action,
        visit.text("command_id"),
        visit.text("note"),
        data,
        version=int(version),
        origin=address_of(request),
        claim=claim,
    )
