"""Forms of a page, filled and sent as a browser without scripts would."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] | None = None
        self._area: str | None = None
        self._choice: str | None = None

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "form":
            self._fields = self.forms.setdefault(told["action"], {})
        elif self._fields is not None and tag == "input":
            self._take_input(told)
        elif self._fields is not None and tag == "select":
            self._choice = told["name"]
        elif self._fields is not None and tag == "option" and self._choice is not None:
            if "selected" in told or self._choice not in self._fields:
                self._fields[self._choice] = told.get("value") or ""
        elif self._fields is not None and tag == "textarea":
            self._area = told["name"]
            self._fields[self._area] = ""

    def _take_input(self, told):
        name, value = told.get("name"), told.get("value") or ""
        if name is None or told.get("type") == "file":
            return
        if told.get("type") == "checkbox":
            if "checked" in told:  # those of one name together, as our pages read them
                self._fields[name] = f"{self._fields.get(name, '')} {value}".strip()
            return
        self._fields[name] = value

    def handle_data(self, data):
        if self._area is not None:
            self._fields[self._area] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self._fields = None
        if tag == "textarea":
            self._area = None
        if tag == "select":
            self._choice = None


def forms_of(html: str) -> dict[str, dict[str, str]]:
    """The fields of each form by its address."""
    parser = _Forms()
    parser.feed(html)
    return parser.forms


def shown(html: str) -> str:
    """Without what a page only keeps for later."""
    return re.sub(r"(?s)<template.*?</template>|<section[^>]* hidden\b.*?</section>", " ", html)


def text_of(html: str) -> str:
    """What a person reads of a page."""
    html = re.sub(r"(?s)<head>.*?</head>|<dialog.*?</dialog>", " ", shown(html))
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def send(
    browser: httpx.Client, page: str, action: str, photo: bytes | None = None, **fields: str
) -> httpx.Response:
    """Open a page, fill one of its forms and send it; redirects are followed."""
    told = forms_of(browser.get(page).text)[action] | fields
    files = None if photo is None else {"photo": ("photo.jpg", photo, "image/jpeg")}
    return browser.post(action, data=told, files=files, follow_redirects=True)
