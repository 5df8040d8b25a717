"""The pages, one router each."""

from pipeline.console.pages import (
    account,
    audit,
    calibration,
    camera,
    cameras,
    coverage,
    duties,
    events,
    home,
    indices,
    offline,
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
        *(home, sign_in, account, queue, ticket, town, events, offline),
        *(cameras, camera, zones, calibration, pictures, patrol, coverage),
        *(indices, users, audit, duties, oidc),
    )
)

__all__ = ["ROUTERS"]
