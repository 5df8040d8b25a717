import threading

import pytest

from pipeline.ingest.lending import Pool


def test_no_more_are_lent_at_once_than_allowed_and_those_are_kept(eventually):
    made, out, most = [], set(), []
    lock, go_on = threading.Lock(), threading.Event()

    def make(kind):
        made.append(kind)
        return object()

    pool = Pool(make, lent_at_most=2, kinds_at_most=4)

    def use():
        with pool.lent("a") as thing:
            with lock:
                out.add(thing)
                most.append(len(out))
            go_on.wait(20)
            with lock:
                out.discard(thing)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(out) == 2)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert max(most) == 2
    assert made == ["a", "a"]


def test_what_failed_gives_its_place_to_another():
    pool = Pool(lambda _: object(), lent_at_most=1, kinds_at_most=4)
    with pytest.raises(ValueError, match="broken"), pool.lent("a") as first:
        raise ValueError("broken")
    with pool.lent("a") as second:
        assert second is not first


def test_kinds_that_were_not_used_for_long_are_let_go():
    made = []
    pool = Pool(lambda kind: made.append(kind) or [kind], lent_at_most=1, kinds_at_most=2)
    for kind in "abcba":
        with pool.lent(kind) as thing:
            assert thing == [kind]
    assert made == ["a", "b", "c", "a"]
