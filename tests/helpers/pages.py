"""The pages of the repository as tests see them: their code blocks, the marks before these, the commands in sentences.

A block is what is between two fences. A mark is a comment before the block, with nothing but empty lines between:

    <!-- not executed: WHY -->       nothing runs it; commands in it are still read by the product's own parser
    <!-- executed by tests/X.py -->  another test does, and names the page
    <!-- printed by: COMMAND -->     what this command prints: the words of its headings are compared
    <!-- file: NAME -->              a file that other blocks of the page use

A block without a mark is executed, or read by what reads it in the product, by ``test_docs_blocks.py``.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from commands import click_command
from markdown_it import MarkdownIt

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", "docs/*.md")
NOT, BY, PRINTED, FILE = "not executed: ", "executed by ", "printed by: ", "file: "
_COMMENT = re.compile(r"<!-- (.*?) -->", re.DOTALL)
_OPTIONAL = re.compile(r"\[[^\[\]]*\]")
_INSIDE = re.compile(r"'(cotfaith [^']*)'")


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: str
    line: int
    """Its first line, from 1."""
    language: str
    """As the fence says it; "" without, or for text that is only indented."""
    text: str
    mark: str
    """What the comment before it says; "" without one."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.page}:{self.line}"

    def marked(self, kind: str) -> str:
        """Return what a mark of this kind says; "" for another mark or none."""
        return self.mark.removeprefix(kind).strip() if self.mark.startswith(kind) else ""

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, without comments; lines that go on in the next are joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in (_without_comment(one) for one in lines) if line]


def page_files(repo: Path) -> list[Path]:
    """Return the pages, each once."""
    return [path for pattern in PAGES for path in sorted(repo.glob(pattern))]


def blocks(repo: Path) -> list[Block]:
    """Return all code blocks of all pages."""
    return [one for path in page_files(repo) for one in blocks_of(str(path.relative_to(repo)), path.read_text())]


def blocks_of(page: str, text: str) -> list[Block]:
    """Return the code blocks of a page's text."""
    found, mark = [], ""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "code_block"):
            first = token.map[0] + 1
            found.append(Block(page, first, token.info.strip(), token.content, mark))
        comment = _COMMENT.fullmatch(token.content.strip()) if token.type == "html_block" else None
        mark = " ".join(comment[1].split()) if comment else ""
    return found


def quoted(repo: Path) -> list[tuple[str, str]]:
    """Return what is quoted as code in sentences and tables: (page, text)."""
    found = []
    for path in page_files(repo):
        for token in MarkdownIt("commonmark").enable("table").parse(path.read_text()):
            spans = [child.content for child in token.children or () if child.type == "code_inline"]
            found += [(str(path.relative_to(repo)), " ".join(span.split())) for span in spans]
    return found


def ours(line: str) -> list[list[str]]:
    """Return the commands of cotfaith in a line, as words: one, several with ``;``, or one inside another program's."""
    if not line.startswith("cotfaith "):
        return [words for inside in _INSIDE.findall(line) for words in ours(inside)]
    return [shlex.split(_OPTIONAL.sub("", one))[1:] for one in line.split(";")]


def check_whole(words: list[str]) -> None:
    """Raise what the command line's own parser raises if it does not take these words."""
    command, name, rest = _command(words)
    command.make_context(name, rest).close()


def check_names(words: list[str]) -> None:
    """Raise ``KeyError`` unless there is such a command, and ``AssertionError`` for an option that it does not have."""
    command, name, rest = _command(words)
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    unknown = {word.split("=")[0] for word in rest if word.startswith("-") and word != "-"} - known
    assert not unknown, f"cotfaith {name} has no {sorted(unknown)}"


def _command(words):
    """Return the command, its name and what follows it."""
    command, name, rest = click_command(), "cotfaith", list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        command = command.commands[name]
    return command, name, rest


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line).strip()
