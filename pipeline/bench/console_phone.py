"""The console on a slow telephone: Chromium, its line and its processor made slow by itself.

400 kbit/s and 400 ms each way round, a quarter of this machine's processor: what browsers call slow
3G on a cheap telephone.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pipeline.errors import BenchError

if TYPE_CHECKING:
    from pipeline.bench.console_server import Browser

KBIT_PER_S = 400
LATENCY_MS = 400
SLOWER = 4
_WITHIN_MS = 120_000
_VIEW: Any = {"width": 390, "height": 844}
_FLAGS = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Kept from the beginning: an observer that comes later misses what a page paints first.
_WATCH = """
window.painted = {};
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.painted.largest = one.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.painted[one.name] = one.startTime;
}).observe({ type: "paint", buffered: true });
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """Milliseconds until something, and until the largest thing, was painted; bytes that came."""

    first_paint_ms: float
    largest_paint_ms: float
    bytes_without_pictures: int
    bytes_of_pictures: int


@dataclass(frozen=True, slots=True)
class Phone:
    """``first``: of a telephone that was never here; ``again``: of one that has our files."""

    first: Visit
    again: Visit
    accept_ms: float


def missing() -> str | None:
    """What this machine lacks for it; None: nothing."""
    if find_spec("playwright") is None:
        return "playwright"
    return None if shutil.which("chromium") else "chromium"


def look_at(url: str, browser: Browser) -> Phone:
    """Open the queue twice and accept a ticket. Raises BenchError where the page doesn't answer."""
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - an extra

    with sync_playwright() as running:
        chromium = running.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(_FLAGS)
        )
        try:
            context = chromium.new_context(
                base_url=url,
                viewport=_VIEW,
                is_mobile=True,
                has_touch=True,
                service_workers="block",  # its own line can't be made slow
            )
            context.add_init_script(_WATCH)
            context.add_cookies([{"name": "gridwatch", "value": browser.secret, "url": url}])
            first = _visit(context)[0]
            again, page = _visit(context)
            return Phone(first, again, _accept(page))
        except Error as error:
            raise BenchError(
                "the page did not answer", where="console", found=error.message.splitlines()[0]
            ) from None
        finally:
            chromium.close()


def _visit(context: Any) -> tuple[Visit, Any]:
    page = context.new_page()
    page.set_default_timeout(_WITHIN_MS)
    told = context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    came = {"pictures": 0, "rest": 0}
    told.on("Network.responseReceived", lambda one: kinds.update({one["requestId"]: one["type"]}))
    told.on("Network.loadingFinished", lambda one: _count(one, kinds, came))
    bytes_per_s = KBIT_PER_S * 1000 / 8
    told.send("Network.enable")
    told.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": bytes_per_s,
            "uploadThroughput": bytes_per_s,
        },
    )
    told.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto("/queue")
    page.wait_for_function(
        "() => [...document.images].every((one) => one.complete && one.naturalWidth"
        " || one.getBoundingClientRect().top > innerHeight)"
    )
    page.wait_for_timeout(2 * LATENCY_MS)  # what is painted last is known a moment later
    painted = page.evaluate("window.painted")
    visit = Visit(
        painted.get("first-contentful-paint", 0.0),
        painted.get("largest", 0.0),
        came["rest"],
        came["pictures"],
    )
    return visit, page


def _count(one: dict[str, Any], kinds: dict[str, str], came: dict[str, int]) -> None:
    kind = kinds.get(one["requestId"])
    if kind is not None:
        came["pictures" if kind == "Image" else "rest"] += int(one["encodedDataLength"])


def _accept(page: Any) -> float:
    """Milliseconds from the tap to the answer: the ticket stands there as accepted."""
    cards = page.locator("li.card")
    button = page.get_by_role("button", name=re.compile("^受理")).first
    path = button.evaluate("one => one.closest('form').getAttribute('action')")
    link = path.rpartition("/")[0]
    before = page.evaluate("performance.now()")
    button.tap()
    cards.filter(has=page.locator(f'a[href="{link}"]')).get_by_text("已受理").wait_for()
    return float(page.evaluate("performance.now()")) - float(before)
