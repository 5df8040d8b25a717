"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    cameras,
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
    )
)

__all__ = ["ROUTERS"]
