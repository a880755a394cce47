"""A Markdown page from a template.

In: the template's file, and what it shows. Out: the text. The page is Markdown, not HTML, so nothing is escaped: no
text of a model or a task may be among what is shown.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def rendered(template: Path, **shown: Any) -> str:
    """Return the page; several empty lines become one."""
    loader = FileSystemLoader(template.parent)
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return re.sub(r"\n{3,}", "\n\n", environment.get_template(template.name).render(**shown))
