"""The shell's completion, as bash asks for it."""

import pytest
from commands import click_command


@pytest.fixture
def completed(monkeypatch, capsys):
    """A function that returns the words that bash would offer for a line."""

    def complete(line):
        monkeypatch.setenv("_COTFAITH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        with pytest.raises(SystemExit):
            click_command()(prog_name="cotfaith")
        return set(capsys.readouterr().out.split())

    return complete


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cotfaith sta", {"status"}),
        ("cotfaith organisms l", {"list"}),
        ("cotfaith run spec.yaml --max-h", {"--max-hours"}),
        ("cotfaith list p", {"probes"}),
        ("cotfaith --install", {"--install-completion"}),
        ("cotfaith zzz", set()),
    ],
)
def test_words_are_completed(completed, line, words):
    assert completed(line) == words
