"""Which camera list each box has in force: whoever changed one sees that it was taken up."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.tickets.keys import Keys

KEPT_S = 7 * 86400


@dataclass(frozen=True, slots=True)
class ListInForce:
    """A box on ``host`` works by the list whose file has this SHA-256, since ``since_at``.

    ``since_at`` is Unix seconds UTC.
    """

    host: str
    digest: str
    since_at: float


def tell_list(pipe: Any, keys: Keys, box: str, told: ListInForce) -> None:
    """Say it, with the caller's pipeline."""
    pipe.hset(keys.lists_in_force, box, json.dumps(asdict(told)))
    pipe.expire(keys.lists_in_force, KEPT_S)


def list_of(redis: Redis, keys: Keys, camera_id: str) -> ListInForce | None:
    """The list of the box that last told of this camera; None: none did, or it didn't say.

    Raises DeskUnavailableError as the desk does.
    """
    asked: Any = redis
    with mapped("reading which camera list is in force"):
        row = asked.hget(keys.cameras, camera_id)
        said = asked.hget(keys.lists_in_force, json.loads(row)["box"]) if row else None
    return ListInForce(**json.loads(said)) if said else None
