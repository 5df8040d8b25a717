"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    calibration,
    camera,
    cameras,
    events,
    home,
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
        *(home, sign_in, account, queue, ticket, town, cameras, pictures, events),
        *(camera, zones, calibration),
    )
)

__all__ = ["ROUTERS"]
