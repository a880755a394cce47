"""Every code block of every page is executed, or read by the product, or says why not; commands in sentences exist.

Five classes, counted by the last test (``pytest -s`` prints them): *executed* (Python, and commands of cotfaith, on
stub engines and small files: ``test_docs_commands.py``, or the test that a mark names), *read* (specs, mappings and
texts, by the product's own readers), *compared* (the headings of what a command prints), *parsed only* (commands of
which nothing runs: the words are checked, not what they do), and *marked* (nothing looks at them: formulas, other
programs' commands).
"""

import re
import shlex
from collections import Counter

import pytest
import yaml
from commands import click_command
from pages import BY, FILE, NOT, PRINTED, blocks, blocks_of, check_names, check_whole, ours, page_files, quoted

from cotfaith.cluster.plan.spec_file import check_spec
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import RunSpec
from cotfaith.workers.engines.openai.options import parse_options
from cotfaith.workers.resolved import resolve

LANGUAGES = {"bash", "json", "python", "text", "toml", "yaml"}
OPTION = re.compile(r"--[a-z][\w-]*")
OF_OTHERS = {"--build-arg", "--depth", "--hf-overrides", "--help"}
"""What sentences name of docker, git and vLLM."""
MARKS = tuple(one.strip() for one in (NOT, BY, PRINTED, FILE))


@pytest.fixture(scope="module")
def found(repo):
    return blocks(repo)


@pytest.fixture(scope="module")
def targets(repo):
    """What ``make`` can make."""
    text = (repo / "Makefile").read_text()
    return set(re.findall(r"(?m)^([a-z][\w-]*)(?=.*:)", text)) | set(re.findall(r"(?m)^([\w -]+):", text))


def test_each_has_a_language_and_a_known_mark(found):
    assert len(found) > 70
    assert [one.place for one in found if one.language not in LANGUAGES] == []
    assert [(one.place, one.mark) for one in found if one.mark and not one.mark.startswith(MARKS)] == []


def test_what_nothing_executes_says_why(found):
    """Text is what a command prints, a file or a formula: it needs a mark. The rest is executed without one."""
    assert [one.place for one in found if one.language in ("text", "json", "toml") and not one.mark] == []
    assert [one.place for one in found if one.mark.startswith(NOT.strip()) and len(one.marked(NOT).split()) < 2] == []


def test_what_another_test_executes_is_named_in_it(repo, found):
    for one in found:
        for name in re.findall(r"tests/[\w/.]*\w", one.mark):
            assert (repo / name).exists(), one.place
        if by := one.marked(BY):
            assert one.page in (repo / by).read_text() or one.page.removeprefix("docs/") in (repo / by).read_text(), by


def test_no_code_is_outside_of_blocks(repo):
    """Text that is indented behind a list is no code but a part of the list: its lines run together."""
    for path in page_files(repo):
        text = path.read_text()
        inside = set()
        for one in blocks_of(path.name, text):
            inside |= set(range(one.line, one.line + len(one.text.splitlines()) + 2))
        lines = enumerate(text.splitlines(), 1)
        assert [
            (path.name, n) for n, line in lines if line.startswith("    ") and n not in inside and "<!--" not in line
        ] == []


def specs(found):
    return [one for one in found if one.language == "yaml" and not one.mark]


def whole(data):
    """Return a fragment of a spec as a whole one: with a stub and a generated task where it has none."""
    assert set(data) <= set(RunSpec.model_fields), set(data) - set(RunSpec.model_fields)
    base = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}
    return base | data


def test_specs_and_their_parts_are_specs(found):
    """Each is read as ``run`` reads it; names and options of what needs no file are looked up too."""
    assert len(specs(found)) > 15
    for one in specs(found):
        try:
            spec = check_spec(whole(yaml.safe_load(one.text)), one.place)
            _resolve(spec)
        except (SpecError, AssertionError) as error:
            pytest.fail(f"{one.place}: {error}")


def _resolve(spec):
    """Look up every name and option of the spec. Servers are not asked, and vLLM need not be installed."""
    for model in spec.models:
        if model.engine == "openai":
            parse_options(model)
    here = tuple(
        model.model_copy(update={"engine": "stub", "options": {}}) if model.engine in ("openai", "vllm") else model
        for model in spec.models
    )
    resolve(spec.model_copy(update={"models": here}))


def test_a_wrong_spec_would_be_seen():
    for wrong in ("probez: [no_cot]", "tasks: [{name: t, generater: addition}]", "sampling: {temprature: 1}"):
        with pytest.raises((SpecError, AssertionError)):
            check_spec(whole(yaml.safe_load(wrong)), "page")
    with pytest.raises(SpecError):
        _resolve(check_spec(whole({"probes": ["no_cott"]}), "page"))
    with pytest.raises(SpecError):
        _resolve(check_spec(whole({"models": [{"id": "m", "engine": "openai", "options": {"base_uri": "x"}}]}), "page"))


def shell(found):
    return [(one, line) for one in found if one.language == "bash" for line in one.commands]


def test_every_line_of_cotfaith_is_one_that_its_parser_takes(found):
    lines = [(one.place, line, words) for one, line in shell(found) for words in ours(line)]
    assert len(lines) > 40
    for place, line, words in lines:
        try:
            check_whole(words)
        except Exception as error:
            pytest.fail(f"{place}: {line}: {error!r}")


def test_every_command_in_a_sentence_has_that_name_and_these_options(repo):
    """Sentences leave out what a command needs, and name options by themselves, so only names are checked."""
    said = [(page, words) for page, text in quoted(repo) if text.startswith("cotfaith ") for words in ours(text)]
    assert len(said) > 60
    for page, words in said:
        try:
            check_names(words)
        except (KeyError, AssertionError) as error:
            pytest.fail(f"{page}: cotfaith {' '.join(words)}: {error!r}")


def test_every_option_in_a_sentence_is_one_of_some_command(repo):
    """An option by itself, without its command: it is one of ours, of a benchmark, or of a program that is named."""
    known = option_names(click_command()) | OF_OTHERS
    for path in (repo / "benchmarks").glob("*.py"):
        known |= set(OPTION.findall(path.read_text()))
    said = [(page, name) for page, text in quoted(repo) if text.startswith("--") for name in OPTION.findall(text)]
    assert len(said) > 50
    assert [one for one in said if one[1] not in known] == []


def option_names(command):
    below = [option_names(one) for one in getattr(command, "commands", {}).values()]
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}.union(*below)


def test_every_other_line_names_what_is_there(repo, found, targets):
    """Targets of make, and scripts with their options, in blocks and in sentences."""
    said = [(one.place, line) for one, line in shell(found)] + quoted(repo)
    checked = Counter()
    for place, line in said:
        program, *rest = line.split()[:1] + line.split()[1:]
        if program == "make" and rest:
            assert rest[0] in targets, (place, line)
            checked["make"] += 1
        elif program == "python" and rest and rest[0].endswith(".py"):
            text = (repo / rest[0]).read_text()
            options = [word.strip("[]").split("=")[0] for word in rest[1:] if word.strip("[").startswith("--")]
            assert [option for option in options if option not in text] == [], (place, line)
            checked["python"] += 1
    assert min(checked[one] for one in ("make", "python")) > 10


@pytest.mark.parametrize("line", ["cotfaith runs x", "cotfaith run s.yaml --drain-second 3", "cotfaith plan"])
def test_a_wrong_line_would_be_seen(line):
    (words,) = ours(line)
    with pytest.raises(Exception, match=r"runs|drain-second|SPEC|spec_path"):
        check_whole(words)


def test_lines_are_found_wherever_they_are():
    assert ours("ray exec c.yaml 'cotfaith plan ~/spec.yaml'") == [["plan", "~/spec.yaml"]]
    assert ours("cotfaith gate r; cotfaith report r --open") == [["gate", "r"], ["report", "r", "--open"]]
    assert ours("cotfaith select RUN [--policy FILE]") == [["select", "RUN"]]
    page = "<!-- not executed:\nfor a reason -->\n\n```bash\nx \\\n  y  # why\n```\n\n```yaml\na: 1\n```\n"
    first, second = blocks_of("p.md", page)
    assert (first.marked(NOT), first.commands, first.line) == ("for a reason", ["x    y"], 4)
    assert (second.mark, second.text) == ("", "a: 1\n")


def test_how_many_there_are_of_each_class(found):
    counts = Counter(_class(one) for one in found)
    print(dict(counts), "of", len(found))
    assert counts["parsed only"] + counts["marked"] < len(found) / 2


def _class(one):
    if one.marked(NOT):
        is_parsed = one.language == "bash" and any(ours(line) or _own(line) for line in one.commands)
        return "parsed only" if is_parsed else "marked"
    if one.marked(PRINTED):
        return "compared"
    return "read" if not one.marked(BY) and (one.language == "yaml" or one.marked(FILE)) else "executed"


def _own(line):
    return shlex.split(line)[0] in ("make", "python")
