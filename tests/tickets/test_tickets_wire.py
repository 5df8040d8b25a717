from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
from ticket_town import incident

from pipeline.tickets import EvidenceRef, TicketMessage
from pipeline.tickets.wire import EXAMPLE, schema, schema_text

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.tickets import Desk

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "ticket-v1.json"
RENEW = "from pipeline.tickets.wire import schema_text; print(schema_text(), end='')"


def test_the_published_schema_is_the_one_in_force():
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), (
        f'renew it: python -c "{RENEW}" > docs/schema/{PUBLISHED.name}'
    )


def test_the_schema_is_one_and_its_example_fits():
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    (example,) = published["examples"]
    jsonschema.validate(example, published)
    assert TicketMessage.model_validate(example) == EXAMPLE


def test_what_the_desk_queues_fits_the_published_schema(desk: Desk, redis: Redis):
    desk.file(incident(1), EvidenceRef("a.jpg", "b.jpg"))
    desk.file(incident(2, hazard="crowd", east_m=2, trail={}))
    keys = list(redis.scan_iter(f"{{{desk._keys.prefix}}}:queue:*"))
    assert len(keys) == 2
    for key in keys:
        for _, fields in redis.xrange(key):
            assert fields["v"] == "1"
            jsonschema.validate(json.loads(fields["json"]), schema())


def test_a_reader_of_today_understands_a_writer_of_tomorrow():
    later = {**EXAMPLE.model_dump(mode="json"), "weather": "rain"}
    assert TicketMessage.model_validate(later) == EXAMPLE
