"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    calibration,
    camera,
    cameras,
    events,
    home,
    patrol,
    pictures,
    queue,
    sign_in,
    ticket,
    town,
    zones,
)

ROUTERS = tuple(
    page.router
    for page in (
        *(home, sign_in, account, queue, ticket, town, cameras, pictures, patrol, events),
        *(camera, zones, calibration),
    )
)

__all__ = ["ROUTERS"]
