"""Brings events to their recipients. Any number of boxes may run one.

The thread of the caller reads events and sees what is due; a few more threads send, those for what
is gravest apart, so that a recipient that hangs delays no emergency of another.
"""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import structlog
from pydantic import TypeAdapter

from pipeline.errors import DeskError, NotifyError
from pipeline.tickets.event_wire import Event, event_of, urgent
from pipeline.tickets.notify.choose import concerns
from pipeline.tickets.notify.compose import compose
from pipeline.tickets.notify.message import Message
from pipeline.tickets.notify.quiet import quiet_until
from pipeline.tickets.notify.recipients import recipients_of
from pipeline.tickets.notify.store import AT_ONCE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from pipeline.clock import Clock
    from pipeline.settings import Settings
    from pipeline.tickets.notify.recipients import Recipient
    from pipeline.tickets.notify.store import Lane, NotifyStore, Taken
    from pipeline.tickets.retention import QueueKeeper
    from pipeline.town.grids import GridMap

_WAIT_S = 0.5  # for an event; and so how late a message may be that is due meanwhile
_ORPHANS_S = 30.0
_TIDY_S = 600.0
_UNKNOWN_S = 600.0  # a recipient that these settings don't name may be another box's
_AWAY_S = 2.0
_SENDERS: dict[Lane, int] = {"urgent": 4, "normal": 8}
_DOUBLINGS_AT_MOST = 30  # keeps the power finite
_EVENTS: TypeAdapter[list[Event]] = TypeAdapter(list[Event])

log = structlog.get_logger()


class Notifier:
    """Use as a context manager; ``run`` until stopped, or call ``round`` yourself.

    ``draw`` gives numbers in 0..1 for the jitter of retries. ``keeper``: forgets old entries of
    queues now and then.
    """

    def __init__(
        self,
        store: NotifyStore,
        settings: Settings,
        grids: GridMap,
        *,
        clock: Clock,
        keeper: QueueKeeper | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._settings = settings.notify
        self._console_url = settings.console.url
        self._recipients = recipients_of(settings)
        self._grids = grids
        self._clock = clock
        self._keeper = keeper
        self._draw = draw
        self._busy: set[tuple[str, Lane]] = set()
        self._pools = {
            lane: ThreadPoolExecutor(count, f"notify-{lane}") for lane, count in _SENDERS.items()
        }
        self._orphans_at = self._tidied_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends when what is being sent has been, or has failed; the rest waits in Redis."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``; Redis away holds it up and ends nothing."""
        away = False
        while not stop.is_set():
            try:
                self.round(_WAIT_S)
            except DeskError as error:
                if not away:  # once, not in every round
                    log.warning("cannot_notify", why=str(error))
                away = True
                self._clock.sleep(_AWAY_S, until=stop)
            else:
                if away:
                    log.info("can_notify_again")
                away = False

    def round(self, wait_s: float) -> None:
        """Hand on what happened and send what is due. Raises DeskUnavailableError."""
        # All of a flood before anything is sent, so that it becomes one message.
        while True:
            found = self._store.read(wait_s)
            for entry, text in found:
                self._route(entry, text)
            if len(found) < AT_ONCE:
                break
        now_s = self._clock.monotonic()
        if now_s - self._orphans_at >= _ORPHANS_S:
            self._orphans_at = now_s
            for entry, text in self._store.orphans():
                self._route(entry, text)
        if now_s - self._tidied_at >= _TIDY_S:
            self._tidied_at = now_s
            self._store.trim(self._clock.now() - self._settings.keep_events_s)
            if self._keeper is not None:
                self._keeper.forget_old()
        self._send_due()

    def settle(self) -> None:
        """Wait until nothing is being sent any more."""
        for lane, count in _SENDERS.items():
            pool = self._pools[lane]
            pool.shutdown(wait=True)
            self._pools[lane] = ThreadPoolExecutor(count, f"notify-{lane}")

    def _route(self, entry: str, text: str) -> None:
        try:
            event = event_of(text)
        except ValueError:  # of a newer version, say: it must not hold up what comes after it
            log.warning("unknown_event", entry=entry)
            self._store.route(entry, text, ())
            return
        now, grave = self._clock.now(), urgent(event)
        lane: Lane = "urgent" if grave else "normal"
        gather_s = self._settings.urgent_gather_s if grave else self._settings.gather_s
        self._store.route(
            entry,
            text,
            [
                (one.name, lane, now if one.alone else now + gather_s)
                for one in self._recipients.values()
                if concerns(one.settings, event, self._grids)
            ],
        )

    def _send_due(self) -> None:
        now = self._clock.now()
        due = self._store.due(now)
        for name, lane in due:
            recipient = self._recipients.get(name)
            if recipient is None:
                self._store.postpone(name, lane, now + _UNKNOWN_S)
                continue
            held_until = quiet_until(recipient.settings.quiet, now)
            if lane == "normal" and held_until is not None:
                self._store.postpone(name, lane, held_until)
            elif lane == "normal" and (name, "urgent") in due:
                continue  # which takes along what waits here
            elif (name, lane) not in self._busy:
                self._busy.add((name, lane))
                self._pools[lane].submit(self._work, recipient, lane, quiet=held_until is not None)

    def _work(self, recipient: Recipient, lane: Lane, *, quiet: bool) -> None:
        try:
            self._deliver(recipient, lane, quiet=quiet)
        except DeskError as error:  # its lease runs out; then it is tried again
            log.warning("cannot_notify", recipient=recipient.name, why=str(error))
        except Exception as error:  # noqa: BLE001 - one message must not end the sending of others
            log.error(  # noqa: TRY400 - a traceback may hold what the recipient's URL holds
                "notify_bug", recipient=recipient.name, error=type(error).__name__
            )
        finally:
            self._busy.discard((recipient.name, lane))

    def _deliver(self, recipient: Recipient, lane: Lane, *, quiet: bool) -> None:
        settings = self._settings
        taken = self._store.take(
            recipient.name,
            lane,
            self._clock.now(),
            # Twice what a try may take, and the time that resolving a name may hang.
            lease_s=2 * settings.timeout_s + 30,
            pace_s=0 if recipient.alone else settings.pace_s,
            most=recipient.most,
            sweep=not quiet and not recipient.alone,
        )
        if taken is None:
            return
        try:
            recipient.channel.send(self._message(taken), self._clock.now())
        except NotifyError as error:
            self._failed(taken, str(error), again=error.again)
        except Exception as error:  # noqa: BLE001 - a message that breaks us must not stay for ever
            self._failed(taken, f"a bug: {type(error).__name__}", again=True)
        else:
            self._store.sent(taken, self._clock.now())
            log.info("notified", recipient=taken.name, message=taken.message_id, tries=taken.tries)

    def _message(self, taken: Taken) -> Message:
        return compose(
            taken.message_id,
            _EVENTS.validate_json(taken.events),
            console_url=self._console_url,
            made_at=taken.made_at,
        )

    def _failed(self, taken: Taken, why: str, *, again: bool) -> None:
        now, settings = self._clock.now(), self._settings
        if not again or now - taken.made_at >= settings.give_up_s:
            self._store.dead(taken, now, why=why)
            log.error("notify_gave_up", recipient=taken.name, message=taken.message_id, why=why)
            return
        urgent_most = taken.lane == "urgent"
        most_s = settings.urgent_retry_most_s if urgent_most else settings.retry_most_s
        doubled_s = settings.retry_first_s * 2.0 ** min(taken.tries - 1, _DOUBLINGS_AT_MOST)
        # Half of it is sure, so that nobody is asked again at once; half spreads the boxes.
        pause_s = min(most_s, doubled_s) * (0.5 + 0.5 * self._draw())
        self._store.again(taken, now, next_at=now + pause_s, why=why)
        log.warning("notify_failed", recipient=taken.name, tries=taken.tries, why=why)


def try_out(recipient: Recipient, *, clock: Clock) -> None:
    """Send a recipient one message that says it is a test; raises NotifyError.

    One that takes CAP documents gets none: there is no emergency.
    """
    title = "【测试 test】gridwatch 通知测试 / a test of notifications"
    lines = (f"接收方 Recipient: {recipient.name}", "无需处理。/ Nothing has to be done.")
    now = clock.now()
    recipient.channel.send(Message(uuid.uuid4().hex, title, lines, (), now), now)
