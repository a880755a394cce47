"""A real browser without a window: pages are opened from files, and what they do is recorded.

It is the system's Chromium or Chrome; none is downloaded, and tests that need one are skipped where there is none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no Chromium or Chrome is installed"


@dataclass
class Opened:
    """A page, with what it said and asked for."""

    page: Any
    """Playwright's page."""
    said: list[str] = field(default_factory=list)
    """Messages of the console, errors and dialogs."""
    asked: list[str] = field(default_factory=list)
    """Addresses that it asked for, besides its own file."""

    def words(self, selector: str) -> list[str]:
        """Return the text of each element that is seen."""
        return [one.inner_text() for one in self.page.locator(selector).all() if one.is_visible()]

    def overflow(self) -> int:
        """Return by how many pixels the body is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


class Browser:
    """A browser that opens pages."""

    def __init__(self, browser: Any):
        self._browser = browser

    def open(
        self, file: Path, *, width: int = 1200, scheme: str = "light", at: str = "", scripts: bool = True
    ) -> Opened:
        """Open a file; ``at``: what stands behind # in its address; ``scripts``: whether they may run."""
        size = {"width": width, "height": 800}
        context = self._browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=scripts)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.said.append(message.text))
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("dialog", lambda dialog: (opened.said.append(dialog.message), dialog.dismiss()))
        address = file.absolute().as_uri()
        opened.page.on("request", lambda asked: _record(opened.asked, asked.url, address))
        opened.page.goto(address + (f"#{at}" if at else ""))
        return opened


def _record(asked: list[str], url: str, own: str) -> None:
    if url.partition("#")[0] != own:
        asked.append(url)


@contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser; skip the test where there is none."""
    program = next((found for name in NAMES if (found := which(name))), None)
    if program is None:
        pytest.skip(NO_BROWSER)
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield Browser(made)
        finally:
            made.close()
