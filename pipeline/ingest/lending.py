"""Things that are dear to make or to keep, lent for a moment among hundreds of threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

Kind = TypeVar("Kind", bound="Hashable")
Thing = TypeVar("Thing")


class Pool(Generic[Kind, Thing]):
    """Lends things by their kind; there are only as many as are in use at the same time.

    Those wait to be lent again, and only of the kinds used last, so that days of changing cameras
    cost no memory.
    """

    def __init__(
        self,
        make: Callable[[Kind], Thing],
        *,
        fit: Callable[[Thing], bool] = lambda _: True,
        lent_at_most: int,
        kinds_at_most: int,
    ) -> None:
        """``fit``: whether a thing that comes back may be lent again.

        ``lent_at_most``: who wants one more waits; so many of a kind are kept.
        """
        self._make = make
        self._fit = fit
        self._lent_at_most = lent_at_most
        self._turns = threading.BoundedSemaphore(lent_at_most)
        self._kinds_at_most = kinds_at_most
        self._idle: OrderedDict[Kind, list[Thing]] = OrderedDict()  # last used at the end
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, kind: Kind) -> Iterator[Thing]:
        """One for the time of the block; after an error in it, it isn't lent again."""
        with self._turns:
            with self._lock:
                idle = self._idle.get(kind)
                thing = idle.pop() if idle else None
            thing = self._make(kind) if thing is None else thing
            yield thing
            if self._fit(thing):
                self._keep(kind, thing)

    def _keep(self, kind: Kind, thing: Thing) -> None:
        with self._lock:
            idle = self._idle.setdefault(kind, [])
            if len(idle) < self._lent_at_most:
                idle.append(thing)
            self._idle.move_to_end(kind)
            if len(self._idle) > self._kinds_at_most:
                self._idle.popitem(last=False)
