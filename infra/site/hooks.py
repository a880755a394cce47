"""What makes a site of pages that are written to be read in a terminal. MkDocs calls these by their names.

In: the pages of docs/ and the README. Out: the README as the first page, and each mention of a page (`docs/x.md`) as a
link to it.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_MENTION = re.compile(r"(?<![\[`])`docs/([\w.-]+\.md)`")


def on_files(files: Any, config: Any) -> Any:
    """Add the README as the first page; its addresses are those of the repository's root."""
    from mkdocs.structure.files import File

    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Make a link of each mention of another page; a page that is not there stays as text, and a test finds it."""
    there = {file.src_uri for file in files.documentation_pages()} - {page.file.src_uri}

    def link(found: re.Match[str]) -> str:
        name = found[1]
        return f"[`{name}`]({name})" if name in there else found[0]

    return _MENTION.sub(link, markdown)
