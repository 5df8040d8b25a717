"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    cameras,
    coverage,
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
    for page in (
        *(home, sign_in, account, queue, ticket, town, events),
        *(cameras, pictures, patrol, coverage),
    )
)

__all__ = ["ROUTERS"]
