"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    audit,
    calibration,
    camera,
    cameras,
    duties,
    events,
    home,
    indices,
    oidc,
    patrol,
    pictures,
    queue,
    sign_in,
    ticket,
    town,
    users,
    zones,
)

ROUTERS = tuple(
    page.router
    for page in (
        *(home, sign_in, account, queue, ticket, town, events),
        *(cameras, camera, zones, calibration, pictures, patrol),
        *(indices, users, audit, duties, oidc),
    )
)

__all__ = ["ROUTERS"]
