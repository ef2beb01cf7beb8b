"""One Chromium for a module's journeys, a fresh window for each; a dialog that a name could open fails the journey."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.apps import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 1200}, locale="en-GB", accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    alerts: list[str] = []
    strangers: set[str] = set()  # an internal tool asks nobody else for anything
    opened.on("request", lambda request: _note_stranger(request.url, strangers))
    opened.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    yield opened
    context.close()
    assert alerts == []
    assert strangers == set()


def _note_stranger(url: str, strangers: set[str]) -> None:
    """Note the host of a request that leaves this machine."""
    place = urlsplit(url)
    if place.scheme in ("http", "https", "ws", "wss") and place.hostname not in ("127.0.0.1", "localhost"):
        strangers.add(place.hostname or url)
