"""The report as an HTML document: its templates, styles and scripts, and what a browser lets it do.

Every text is escaped, with marks for what cannot be seen in it. The page's content security policy allows only the
hashes of our own scripts, so an unescaped text still could not run. Figures are SVG elements.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cotfaith.cluster.report.choice import DRAWN, TOLD
from cotfaith.cluster.report.drawing.looks import palette
from cotfaith.cluster.report.folds import clipped, shorter
from cotfaith.cluster.report.marked import marked
from cotfaith.cluster.report.reasons import about, evidence, kinds, questions
from cotfaith.cluster.report.to_compare import MOVED, PAIRED
from cotfaith.cluster.terminal import plain_text

TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("report.css", "figures.css", "transcripts.css")
MOST_CHAINS = TOLD + DRAWN + MOVED + PAIRED
SCRIPTS = ("report.js", "transcripts.js")


@cache
def environment() -> Environment:
    """Return the environment, which caches the compiled template."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finished,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"plain": plain_text, "clipped": clipped, "shorter": shorter}  # plain: what holds no elements
    made.globals |= {"kinds": kinds, "questions": questions, "about": about, "evidence": evidence}
    made.globals |= {"numbered": enumerate, "most": MOST_CHAINS}
    return made


def _finished(value: Any) -> Any:
    """Return a text escaped and marked: a direction override would show the text after it reversed."""
    return marked(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def scripts() -> tuple[Markup, ...]:
    """Return the page's scripts."""
    return tuple(_own(name) for name in SCRIPTS)


def _own(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


@cache
def styles() -> Markup:
    """Return the page's styles, and the colours of series."""
    return Markup("\n").join([*(_own(name) for name in STYLES), Markup(palette())])


@cache
def content_policy() -> str:
    """Allow our own scripts by hash, and inline styles; no network at all."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts()]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes) or "'none'"
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'"
