"""The command line's two consoles, and what every command prints in one way."""

from rich.console import Console

from cotfaith.cluster.terminal import plain_text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(text: str, console: Console = out) -> None:
    """Print a line that can hold anything: nothing in it is interpreted, and it is wrapped by the terminal only."""
    console.print(plain_text(text), markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a note on stderr."""
    say(f"Note: {text}", err)
