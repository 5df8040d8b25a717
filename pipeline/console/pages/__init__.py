"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    audit,
    cameras,
    duties,
    events,
    home,
    indices,
    queue,
    sign_in,
    ticket,
    town,
    users,
)

ROUTERS = tuple(
    page.router
    for page in (
        home,
        sign_in,
        account,
        queue,
        ticket,
        town,
        cameras,
        events,
        indices,
        users,
        audit,
        duties,
    )
)

__all__ = ["ROUTERS"]
