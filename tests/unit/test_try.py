"""``cotfaith try``: names of models and data -> a spec, what is said, and the run. Stub models, without Ray."""

import json
from pathlib import Path

import pytest
import yaml
from commands import in_process
from runs_here import without_ray

from cotfaith.cluster.plan.first_spec import first_spec
from cotfaith.cluster.plan.named_data import named_data
from cotfaith.cluster.plan.named_model import named_model, slug
from cotfaith.cluster.plan.sample_times import _averages
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.spec import parse_spec

CSV = "prompt,A,B,C,D,answer\n" + "".join(
    f"What is {i} and {i}?,{2 * i},{2 * i + 1},{3 * i + 7},-1,{'ABCD'[i % 2]}\n" for i in range(1, 9)
)
KEY = {"OPENAI_API_KEY": "secret-key-of-hers"}
URL = "http://127.0.0.1:8000/v1"


class TestModel:
    @pytest.mark.parametrize(
        ("text", "keys"),
        [
            ("models/qwen", {"id": "qwen", "source": "models/qwen"}),
            ("/data/My Model (1)/", {"id": "My-Model-1", "source": "/data/My Model (1)/"}),
            ("Qwen/Qwen2.5-0.5B", {"id": "Qwen2.5-0.5B", "source": "Qwen/Qwen2.5-0.5B"}),
            ("organism:reasoner", {"id": "reasoner", "source": "organism:reasoner"}),
            ("s3://bucket/a/b", {"id": "b", "source": "s3://bucket/a/b"}),
            ("hf/Qwen/Qwen3-4B", {"id": "Qwen3-4B", "source": "Qwen/Qwen3-4B", "engine": "transformers"}),
            ("vllm/Qwen/Qwen3-4B", {"id": "Qwen3-4B", "source": "Qwen/Qwen3-4B", "engine": "vllm"}),
            ("./vllm/mine", {"id": "mine", "source": "./vllm/mine"}),
        ],
    )
    def test_weights(self, text, keys):
        assert named_model(text, environ={}) == keys | {"dtype": "auto"}

    @pytest.mark.parametrize("text", ["stub", "stub/", "stub/other"])
    def test_the_stub(self, text):
        assert named_model(text, environ={}) == {"id": text.partition("/")[2] or "stub", "engine": "stub"}

    def test_a_server(self):
        found = named_model("openai/org/name", URL, {})
        assert found == {"id": "name", "source": "org/name", "engine": "openai", "options": {"base_url": URL}}
        assert named_model("openai/m", None, {"OPENAI_BASE_URL": URL})["options"]["base_url"] == URL
        with_key = named_model("openai/m", URL, KEY)
        assert with_key["options"]["api_key_env"] == "OPENAI_API_KEY"
        assert KEY["OPENAI_API_KEY"] not in str(with_key)

    @pytest.mark.parametrize(
        ("text", "url", "said"),
        [
            ("openai/m", None, "OPENAI_BASE_URL"),
            ("openai/", URL, "expected a folder"),
            ("hf/", None, "expected a folder"),
            (" ", None, "expected a folder"),
            ("hf/m", URL, "not on a server"),
        ],
    )
    def test_refused(self, text, url, said):
        with pytest.raises(SpecError, match=said):
            named_model(text, url, {})

    @pytest.mark.parametrize("text", ["...", "///", "a" * 300, "\u202ehidden", "weird\nname", "é"])
    def test_every_id_is_one(self, text):
        spec = {"models": [{"id": slug(text), "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}
        assert parse_spec(spec)


class TestData:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    def test_choices_in_columns(self):
        Path("mine.csv").write_text(CSV)
        found = named_data("mine.csv")
        fields = {"question": "prompt", "choices": ["A", "B", "C", "D"], "gold": "answer"}
        assert found.keys == {"name": "mine", "file": "mine.csv", "fields": fields, "n": 8}
        assert "question <- prompt, choices <- [A, B, C, D], gold <- answer" in found.said[0]
        assert "(B) 3" in found.said[1]
        assert "its right answer is B (choice)" in found.said[1]

    @pytest.mark.parametrize(
        ("record", "fields"),
        [
            ({"problem": "1 + 1?", "solution": "2"}, {"question": "problem", "gold": "solution"}),
            (
                {"question": "Which?", "options": ["a", "b"], "label": 0},
                {"question": "question", "choices": ["options"], "gold": "label"},
            ),
        ],
    )
    def test_records(self, record, fields):
        Path("some file.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record | {"id": 7}))
        found = named_data("some file.jsonl").keys
        assert found["name"] == "some-file"
        assert found["fields"] == fields

    def test_a_published_format(self):
        rows = [{"question": f"How many, {i}?", "answer": f"He has {i}.\n#### {i}"} for i in range(3)]
        Path("gsm8k.jsonl").write_text("\n".join(map(json.dumps, rows)))
        found = named_data("gsm8k.jsonl")
        assert found.keys == {"name": "gsm8k", "file": "gsm8k.jsonl", "adapter": "gsm8k", "n": 3}
        assert "published format of gsm8k" in found.said[0]

    @pytest.mark.parametrize("chain", [{"cot": "He has 2. So 2."}, {"steps": ["He has 2.", " So 2."]}])
    def test_recorded_chains_are_read_and_not_sampled_anew(self, chain):
        rows = [{"question": f"How many, {i}?", "gold": "2", "answer": "2", **chain} for i in range(3)]
        Path("recorded.jsonl").write_text("\n".join(map(json.dumps, rows)))
        found = named_data("recorded.jsonl")
        assert found.keys == {"name": "recorded", "file": "recorded.jsonl", "adapter": "chains", "n": 3}
        assert found.said[0].startswith("Recorded chains: 3 in recorded.jsonl. The model reads them")

    def test_a_column_of_another_meaning_is_no_chain(self):
        Path("q.jsonl").write_text(json.dumps({"question": "How many?", "gold": 2, "steps": 3}))
        assert "adapter" not in named_data("q.jsonl").keys

    def test_chains_that_cannot_be_read_are_refused(self):
        Path("recorded.jsonl").write_text(json.dumps({"question": "How many?", "cot": "He has 2."}))
        with pytest.raises(InputError, match="gold"):
            named_data("recorded.jsonl")

    def test_a_generator(self):
        assert named_data("addition").keys == {"name": "addition", "generator": "addition", "n": 100}

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("a.csv", "colour,size\nred,1\n", "which column holds the question and the gold.*'colour', 'size'"),
            ("a.csv", "question,colour\nWhat?,1\n", "which column holds the gold"),
            ("a.csv", "question,answer\nWhat?,A\nWho?,B\n", "choices"),
            ("a.csv", "", "empty"),
            ("a.txt", "x", "expected a file"),
            ("b.eval", "", "no such file|cannot|log|empty|kind"),
        ],
    )
    def test_refused(self, name, text, said):
        Path(name).write_text(text)
        with pytest.raises(InputError, match=f"(?s){said}"):
            named_data(name)

    def test_neither_a_file_nor_a_generator(self):
        with pytest.raises(SpecError, match=r"or a generator: .*addition"):
            named_data("adition")
        with pytest.raises(InputError, match=r"nothing\.csv"):
            named_data("nothing.csv")


class TestSpec:
    def test_hostile_names_stay_names(self):
        model = {"id": "m", "source": "a # b: {c}\n- d"}
        task = {"name": "t", "file": "x: #y.csv", "fields": {"question": "a, b", "gold": "}\n"}, "n": 3}
        spec = parse_spec(yaml.safe_load(first_spec(model, task, "s\npec.yaml", 0)))
        assert spec.models[0].source == model["source"]
        assert (spec.tasks[0].file, spec.tasks[0].fields) == (task["file"], task["fields"])

    def test_short_windows_have_short_chains(self):
        text = first_spec({"id": "m", "engine": "stub"}, {"name": "t", "generator": "addition"}, "s", 1, 64, 128)
        spec = parse_spec(yaml.safe_load(text))
        assert (spec.sampling.max_tokens, spec.resources.gpus) == (64, 1)

    def test_the_probe_that_is_offered_can_be_taken(self):
        text = first_spec({"id": "m", "engine": "stub"}, {"name": "t", "generator": "addition"}, "s", 0)
        spec = parse_spec(yaml.safe_load(text.replace("# - adding", "- adding")))
        assert spec.probes[-1].name == "adding_mistakes"


class TestCommand:
    @pytest.fixture
    def attempt(self, tmp_path, monkeypatch):
        without_ray(monkeypatch)
        monkeypatch.setattr("cotfaith.cluster.plan.hardware.gpu_names", lambda: ())
        (tmp_path / "mine.csv").write_text(CSV)

        def do(*arguments, code=0):
            done = in_process("try", *arguments, cwd=tmp_path)
            assert done.returncode == code, done.stdout + done.stderr
            return done

        return do

    def run_of(self, tmp_path):
        return load_run(open_store(str(tmp_path / "runs" / "try-stub-mine")))

    def test_from_a_file_to_a_report(self, attempt, tmp_path):
        said = attempt("stub", "mine.csv", "--limit", 6).stdout
        order = [
            "Questions: 8",
            "Wrote the spec",
            "--- the chain",
            "Measuring",
            "Time for 6 items",
            "Report:",
            "All items",
        ]
        places = [said.index(part) for part in order]
        assert places == sorted(places)
        assert self.run_of(tmp_path).n_items == {"mine": 6}
        assert (tmp_path / "runs" / "try-stub-mine" / "report.html").is_file()
        for stage in ("chains", "no_cot", "early_answering", "filler_tokens"):
            assert f"stub   {stage}" in said
        assert in_process("run", "try-stub-mine.yaml", cwd=tmp_path).returncode == 0
        assert self.run_of(tmp_path).n_items == {"mine": 8}

    def test_no_run_stops_after_the_speed(self, attempt, tmp_path):
        said = attempt("stub", "mine.csv", "--no-run").stdout
        assert said.splitlines()[-1] == "To run it: cotfaith run try-stub-mine.yaml --limit 20"
        assert self.run_of(tmp_path).n_items == {"mine": 4}
        again = attempt("stub", "mine.csv").stdout
        assert "Found the spec" in again
        assert "Measuring" not in again  # it is measured already
        assert self.run_of(tmp_path).n_items == {"mine": 8}

    def test_a_spec_that_was_edited_stays(self, attempt, tmp_path):
        attempt("stub", "mine.csv", "--no-run")
        (tmp_path / "try-stub-mine.yaml").write_text("mine")
        done = attempt("stub", "mine.csv", code=2)
        assert "--spec OTHER.yaml" in done.stderr
        assert (tmp_path / "try-stub-mine.yaml").read_text() == "mine"
        assert "Wrote" not in done.stdout

    def test_another_place_for_the_spec(self, attempt, tmp_path):
        attempt("stub", "addition", "--spec", "specs/a.yaml", "--limit", 1, "--yes")
        assert (tmp_path / "specs" / "a.yaml").is_file()

    @pytest.mark.parametrize("bad", [("nothing/here/at all", "mine.csv"), ("stub", "none.csv"), ("stub", "adition")])
    def test_mistakes_write_nothing(self, attempt, tmp_path, bad):
        assert attempt(*bad, code=2).stderr.startswith("Error:")
        assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]

    def test_times_are_averages_of_what_ran_apart(self, attempt, tmp_path):
        attempt("stub", "mine.csv", "--no-run")
        commits = list(read_ledger(open_store(str(tmp_path / "runs" / "try-stub-mine"))).commits())
        found = _averages(commits)
        assert {stage for *_, stage in found} == {"chains", "no_cot", "early_answering", "filler_tokens"}
        together = [one.model_copy(update={"timed_with": ["a", "b"]}) for one in commits]
        assert _averages(together) == {}
        twice = _averages([one.model_copy(update={"seconds": 2 * one.seconds}) for one in commits])
        assert twice == pytest.approx({stage: 2 * each for stage, each in found.items()})
