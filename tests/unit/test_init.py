"""``cotfaith init``: its spec is whole and true, examples come from the package, nothing is written over."""

import itertools
import re

import pytest
import yaml
from commands import in_process

from cotfaith.cluster.cli.new_file import write_new
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.plan.spec_template import spec_template
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import RunSpec, parse_spec

SET_KEY = re.compile(r"^( *)# (?!#)", re.MULTILINE)


@pytest.fixture
def init(tmp_path):
    return lambda *arguments: in_process("init", *arguments, cwd=tmp_path)


class TestTemplate:
    def test_its_lines_are_a_spec(self):
        spec = parse_spec(yaml.safe_load(spec_template()))
        assert [probe.name for probe in spec.probes] == ["no_cot", "early_answering", "filler_tokens"]

    def test_its_defaults_are_the_defaults(self):
        """Without the marks, every line sets a key, and the spec is the same."""
        text = SET_KEY.sub(r"\1", spec_template())
        assert text.count("\n") == spec_template().count("\n")
        assert parse_spec(yaml.safe_load(text)) == parse_spec(yaml.safe_load(spec_template()))

    def test_it_has_every_key_of_the_schema(self):
        def keys(kind, data):
            for name, field in kind.model_fields.items():
                assert name in data, name
                inner = data[name][0] if isinstance(data[name], list) and data[name] else data[name]
                if hasattr(field.default, "model_fields") and isinstance(inner, dict):
                    keys(type(field.default), inner)

        data = yaml.safe_load(SET_KEY.sub(r"\1", spec_template()))
        keys(RunSpec, data)
        one = parse_spec(data)
        keys(type(one.models[0]), data["models"][0])
        keys(type(one.tasks[0]), data["tasks"][0])

    def test_every_key_is_explained(self):
        lines = spec_template().splitlines()
        bare = [
            line
            for before, line in itertools.pairwise(lines)
            if line.strip().startswith("# ") and not before.strip().startswith("##")
        ]
        assert bare == []
        assert max(map(len, lines)) <= 120


class TestFile:
    def test_it_is_written_and_works(self, init, tmp_path):
        done = init()
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, "Wrote cotfaith.yaml.")
        assert load_spec(tmp_path / "cotfaith.yaml").tasks[0].n == 20

    def test_another_place(self, init, tmp_path):
        assert init("specs/mine.yaml").returncode == 0
        assert (tmp_path / "specs" / "mine.yaml").is_file()

    def test_an_equal_file_is_no_error(self, init):
        init()
        done = init()
        assert (done.returncode, "is there already" in done.stdout) == (0, True)

    def test_another_file_stays(self, init, tmp_path):
        (tmp_path / "cotfaith.yaml").write_text("mine")
        done = init()
        assert done.returncode == 2
        assert "not written over" in done.stderr
        assert (tmp_path / "cotfaith.yaml").read_text() == "mine"

    def test_a_folder_in_its_place(self, tmp_path):
        with pytest.raises(SpecError, match="Name another file"):
            write_new(tmp_path, "text")

    def test_a_file_in_place_of_its_folder(self, tmp_path):
        (tmp_path / "a").write_text("")
        with pytest.raises(SpecError, match="Name another file"):
            write_new(tmp_path / "a" / "b.yaml", "text")


class TestExamples:
    def test_each_is_listed_and_is_the_repositorys(self, init, tmp_path, repo):
        listed = init("--example", "list").stdout.splitlines()
        theirs = sorted((repo / "examples").glob("*.yaml"))
        assert [line.split()[0] for line in listed] == [path.stem for path in theirs]
        for path in theirs:
            assert init("--example", path.stem).returncode == 0
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()

    def test_its_files_come_with_it(self, init, tmp_path, repo):
        assert "examples/chains.jsonl" in init("--example", "chains").stdout
        for name in ("examples/chains.jsonl", "chains.yaml"):
            there = repo / "examples" / name.removeprefix("examples/")
            assert (tmp_path / name).read_bytes() == there.read_bytes()

    def test_a_wrong_name_gets_a_suggestion(self, init, tmp_path):
        done = init("--example", "organism")
        assert done.returncode == 2
        assert "Did you mean 'organisms'" in done.stderr
        assert list(tmp_path.iterdir()) == []
