"""What readers of a queue leave behind: entries they have taken, and entries of dead readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.tickets.ground import EMERGENCY_QUEUE, check_code
from pipeline.tickets.keys import Keys
from pipeline.tickets.redis_errors import mapped
from pipeline.tickets.wire import TicketMessage

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.tickets.ground import DeskTown

GROUP = "grid"
_AT_ONCE = 500  # entries of one queue in one step: a script holds Redis up for as long as it runs

# Deletes entries older than ARGV[1] (an entry's name) that every group has read and acknowledged.
# Answers how many, and where to go on; '' when all were seen.
_FORGET = """
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then
    return {0, ''}
end
local function after(one, other)
    local ms, n = string.match(one, '^(%d+)-(%d+)$')
    local other_ms, other_n = string.match(other, '^(%d+)-(%d+)$')
    ms, n, other_ms, other_n = tonumber(ms), tonumber(n), tonumber(other_ms), tonumber(other_n)
    return ms > other_ms or (ms == other_ms and n > other_n)
end
local groups = {}
for _, facts in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #facts, 2 do
        group[facts[i]] = facts[i + 1]
    end
    groups[#groups + 1] = group
end
local deleted, last = 0, ''
local entries = redis.call('XRANGE', stream, ARGV[2], ARGV[1], 'COUNT', ARGV[3])
for _, entry in ipairs(entries) do
    local id, done = entry[1], #groups > 0
    last = id
    for _, group in ipairs(groups) do
        if after(id, group['last-delivered-id'])
            or #redis.call('XPENDING', stream, group['name'], id, id, 1) > 0 then
            done = false
        end
    end
    if done then
        redis.call('XDEL', stream, id)
        deleted = deleted + 1
    end
end
return {deleted, #entries == tonumber(ARGV[3]) and last or ''}
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An entry that changed its reader."""

    entry: str
    message: TicketMessage


class QueueKeeper:
    """Raises DeskUnavailableError as the desk does.

    ``keep_s``: an entry that every group of readers has acknowledged is deleted this long after it
    entered its queue; the ticket itself goes on.
    """

    def __init__(
        self,
        redis: Redis,
        town: DeskTown,
        *,
        clock: Clock,
        keep_s: float,
        prefix: str = "gridwatch",
    ) -> None:
        self._redis: Any = redis  # redis-py types every answer as one that may be awaited
        self._town = town
        self._clock = clock
        self._keep_s = keep_s
        self._keys = Keys(prefix)
        self._forget: Any = redis.register_script(_FORGET)

    def forget_old(self) -> int:
        """Over all queues; how many entries were deleted."""
        codes = [grid.code for grid in self._town.grids if grid.kind != "micro"]
        return sum(map(self._forget_of, [*codes, EMERGENCY_QUEUE]))

    def claim(self, code: str, reader: str, *, idle_s: float) -> list[Claimed]:
        """Give ``reader`` what others took and have not acknowledged for so long.

        Raises UnknownGridError.
        """
        check_code(self._town, code)
        stream, start = self._keys.queue(code), "0-0"
        claimed: list[Claimed] = []
        with mapped(f"claiming from the queue of {code}"):
            if not self._redis.exists(stream):
                return []
            while True:
                answer = self._redis.xautoclaim(
                    stream, GROUP, reader, min_idle_time=round(1000 * idle_s), start_id=start
                )
                # What is there no more, because its ticket has moved on, nobody needs to take.
                claimed += [
                    Claimed(entry, TicketMessage.model_validate_json(fields["json"]))
                    for entry, fields in answer[1]
                    if fields
                ]
                start = answer[0]
                if start == "0-0":
                    return claimed

    def _forget_of(self, code: str) -> int:
        before = max(0, int((self._clock.now() - self._keep_s) * 1000))
        deleted, start = 0, "-"
        while True:
            with mapped(f"forgetting old entries of {code}"):
                count, last = self._forget(
                    keys=[self._keys.queue(code)], args=[f"{before}", start, _AT_ONCE]
                )
            deleted += int(count)
            if not last:
                return deleted
            start = f"({last}"
