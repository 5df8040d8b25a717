"""Searching the archive finds what reading all of it would find, in the same order."""

from __future__ import annotations

import json
import random
import unicodedata
import uuid
from contextlib import closing

import pytest
from archive_town import new_database
from hypothesis import given, settings
from hypothesis import strategies as st
from ticket_town import LAT, LON, incident

from pipeline.clock import ManualClock
from pipeline.errors import ArchiveError, InputError
from pipeline.tickets import Archive, Desk, Query
from pipeline.tickets.archive.archivist import Archivist
from pipeline.tickets.archive.packed import Packed
from pipeline.tickets.archive.search import found_in
from pipeline.tickets.archive.words import words_asked, words_of
from pipeline.tickets.keys import Keys

GRIDS = ("410182102001001", "410182102001002", "410182102")
HAZARDS = ("road_damage", "blockage", "crowd")
STATES = ("closed", "rejected", "merged")
PLACES = ("豫龙镇西村一网格", "郑上路 12 号", "科学大道ABC路口", "西村")
REASONS = ("", "已修复", "误报：阴影", "Cam-7 moved", "车辆已驶离。西村")
DAY_S = 86400.0


def made(model: Packed, number: int, rng: random.Random) -> Packed:
    """Another ticket like this one."""
    day = 20261101 + number % 28
    at = 1_793_500_000.0 + (number % 28) * DAY_S
    step = json.loads(model.steps[0])
    ground = {**json.loads(model.fields["ground"]), "address": rng.choice(PLACES)}
    fields = {
        **model.fields,
        "grid": rng.choice(GRIDS),
        "hazard": rng.choice(HAZARDS),
        "state": rng.choice(STATES),
        "lon": repr(LON + rng.uniform(-0.02, 0.02)),
        "lat": repr(LAT + rng.uniform(-0.02, 0.02)),
        "ground": json.dumps(ground),
    }
    steps = ({**step, "at": at}, {**step, "at": at + 60, "note": rng.choice(REASONS)})
    return Packed(
        f"YL{day}-{number:06}",
        1,
        str(number),
        {
            "": ("hash", tuple(text for pair in fields.items() for text in pair)),
            "incidents": ("hash", (f"i{number}", model.hash("incidents").popitem()[1])),
            "steps": ("list", tuple(map(json.dumps, steps))),
        },
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, redis, town, tmp_path_factory):
    """An archive of 400 tickets, and their rows."""
    url = None
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres"))
    prefix = uuid.uuid4().hex[:12]
    clock = ManualClock(1_795_406_401.0)
    desk = Desk(redis, town, clock=clock, prefix=prefix)
    ticket_id = desk.file(incident()).ticket_id
    with closing(Archive(url, tmp_path_factory.mktemp("a") / "archive.sqlite", prefix)) as archive:
        archivist = Archivist(redis, Keys(prefix), archive, clock=clock, quiet_s=1)
        (model,) = archivist._snapshots([ticket_id])
        rng = random.Random(1)
        tickets = [made(model, number, rng) for number in range(1, 401)]
        for start in range(0, 400, 90):
            archive.write(tickets[start : start + 90])
        yield archive, [one.ticket_row() for one in tickets]


def letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in folded if one.isalnum())


def fits(row: dict, query: Query) -> bool:
    west, south, east, north = query.box or (-180, -90, 180, 90)
    return (
        (query.grid in (None, row["grid"]))
        and (query.hazard in (None, row["hazard"]))
        and (query.state in (None, row["state"]))
        and (query.since is None or row["opened_at"] >= query.since)
        and (query.until is None or row["opened_at"] <= query.until)
        and west <= row["lon"] <= east
        and south <= row["lat"] <= north
        and (query.number is None or row["ticket_id"].startswith(query.number))
        and (query.before is None or row["ticket_id"] < query.before)
        and (
            query.text is None
            or any(letters(query.text) in letters(row[name]) for name in ("address", "reason"))
        )
    )


def or_none(values):
    return st.one_of(st.none(), values)


times = st.floats(1_793_400_000, 1_796_000_000)
boxes = st.tuples(
    st.floats(LON - 0.03, LON + 0.03),
    st.floats(LAT - 0.03, LAT + 0.03),
    st.floats(0, 0.05),
    st.floats(0, 0.05),
).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
queries = st.builds(
    Query,
    number=or_none(st.sampled_from(["YL20261105", "YL202611", "YL20261103-000003", "YL2025"])),
    grid=or_none(st.sampled_from((*GRIDS, "nowhere"))),
    hazard=or_none(st.sampled_from(HAZARDS)),
    state=or_none(st.sampled_from(STATES)),
    since=or_none(times),
    until=or_none(times),
    box=or_none(boxes),
    text=or_none(
        st.sampled_from(
            ["西村", "村", "一网格", "ABC路", "cam7", "误报阴影", "号", "西村一", "没有"]
        )
    ),
    before=or_none(st.sampled_from(["YL20261110-000038", "YL20261128-000400"])),
    limit=st.sampled_from([1, 7, 1000]),
)


@settings(max_examples=150, deadline=None)
@given(query=queries)
def test_it_finds_what_reading_everything_finds(filled, query: Query):
    archive, rows = filled
    expected = sorted((row["ticket_id"] for row in rows if fits(row, query)), reverse=True)
    found = [one.ticket_id for one in archive.search(query)]
    assert found == expected[: query.limit]


def test_each_index_is_used_and_nothing_is_sorted(filled):
    archive, _ = filled
    if not archive._base.sqlite:
        pytest.skip("PostgreSQL reads so small a table as a whole")
    plans = []
    with archive._base.reading() as db:
        real = db.execute

        def noting(statement, *more):
            known = ("ticket_groups", "ticket_cells", "tickets.key IN")
            if not any(part in str(statement) for part in known):
                asked = statement.params(*more)
                sql = asked.compile(db.engine, compile_kwargs={"literal_binds": True})
                plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")
                plans.extend(str(row[3]) for row in plan)
            return real(statement, *more)

        db.execute = noting
        for query in (
            Query(),
            Query(grid=GRIDS[0]),
            Query(hazard="crowd", since=1_794_000_000),
            Query(state="closed"),
            Query(box=(LON, LAT, LON + 0.01, LAT + 0.01)),
            Query(text="西村", grid=GRIDS[0]),
        ):
            found_in(db, archive._base.words, query)
    assert plans
    assert not [line for line in plans if "TEMP B-TREE" in line], plans
    # The one without any condition reads the newest as they come.
    assert plans.count("SCAN tickets") == 1


@pytest.mark.parametrize("number", ["", "x", "YL1", "'; DROP TABLE tickets", "YL20261123-1"])
def test_what_is_no_number_is_refused(filled, number: str):
    with pytest.raises(ArchiveError, match="number"):
        filled[0].search(Query(number=number))


def test_a_text_without_letters_is_refused(filled):
    with pytest.raises(InputError, match="--text"):
        filled[0].search(Query(text="?!"))


@given(text=st.text(max_size=40), part=st.tuples(st.integers(0, 40), st.integers(1, 40)))
def test_every_part_of_a_text_is_a_run_of_its_words(text: str, part):
    whole = letters(text)
    piece = whole[part[0] : part[0] + part[1]]
    words = words_of([text], {"grid": "1"})
    _, run = words_asked(piece, {})
    if len(piece) == 1:
        assert any(word.startswith(run[0]) for word in words)
    elif piece:
        assert any(words[i : i + len(run)] == run for i in range(len(words)))
