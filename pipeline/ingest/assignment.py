"""Which worker watches which camera.

All cameras of one host go to one worker, because what a host can bear (sessions, back-off) is
counted there. A host stays where it is for as long as that is bearable: moving costs a reconnect.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import count
from typing import TYPE_CHECKING

from pipeline.ingest.gate import host_of
from pipeline.ingest.streams import is_camera

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from pipeline.town import Camera

    Assignment = dict[int, tuple[Camera, ...]]

SLACK = 1.25
"""A worker whose hosts grew may hold this many times what it should before one of them moves."""


def assigned(
    cameras: Iterable[Camera],
    at_most: int,
    before: Mapping[int, Iterable[Camera]],
    named: Container[str] = (),
) -> Assignment:
    """Cameras by the number of their worker, each worker's in the order of the list.

    ``at_most`` cameras go to a worker; a host that alone has more gets one of its own. ``before``
    is the assignment so far. Numbers of workers that are needed no more become free. ``named`` are
    the hosts that the settings name (see ``host_of``).
    """

    def host_of_camera(camera: Camera) -> str:
        # What limits sessions; a file limits nobody, so it is one for itself.
        return host_of(camera.url, named) if is_camera(camera.url) else camera.camera_id

    listed = {camera: host_of_camera(camera) for camera in cameras}
    sizes = Counter(listed.values())
    home = {host_of_camera(camera): n for n, mine in before.items() for camera in mine}
    home = {host: number for host, number in home.items() if host in sizes}
    _make_room(home, sizes, at_most)
    _place(home, sizes, at_most)
    shares: defaultdict[int, list[Camera]] = defaultdict(list)
    for camera, host in listed.items():
        shares[home[host]].append(camera)
    return {number: tuple(shares[number]) for number in sorted(shares)}


def _make_room(home: dict[str, int], sizes: Counter[str], at_most: int) -> None:
    """Take as few cameras as needed out of workers that have become too large."""
    for number in set(home.values()):
        hosts = sorted((h for h, n in home.items() if n == number), key=lambda h: (sizes[h], h))
        load = sum(sizes[host] for host in hosts)
        for host in hosts[:-1]:
            if load <= at_most * SLACK:
                break
            load -= sizes[host]
            del home[host]


def _place(home: dict[str, int], sizes: Counter[str], at_most: int) -> None:
    """Give every host without a worker one: large hosts first, each to where there is most room."""
    loads = dict.fromkeys(home.values(), 0)
    for host, number in home.items():
        loads[number] += sizes[host]
    unused = (number for number in count() if number not in loads)
    while len(loads) * at_most < sizes.total():
        loads[next(unused)] = 0
    for host in sorted(sizes.keys() - home.keys(), key=lambda h: (-sizes[h], h)):
        number = min(loads, key=lambda n: (loads[n], n))
        if loads[number] and loads[number] + sizes[host] > at_most:
            number = next(unused)
        home[host] = number
        loads[number] = loads.get(number, 0) + sizes[host]
