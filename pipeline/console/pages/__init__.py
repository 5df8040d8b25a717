"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    cameras,
    events,
    home,
    offline,
    queue,
    sign_in,
    ticket,
    town,
)

ROUTERS = tuple(
    page.router for page in (home, sign_in, account, queue, ticket, town, cameras, events, offline)
)

__all__ = ["ROUTERS"]
