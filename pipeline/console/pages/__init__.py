"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    cameras,
    events,
    home,
    patrol,
    pictures,
    queue,
    sign_in,
    ticket,
    town,
)

ROUTERS = tuple(
    page.router
    for page in (home, sign_in, account, queue, ticket, town, cameras, pictures, patrol, events)
)

__all__ = ["ROUTERS"]
