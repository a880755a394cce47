"""``cotfaith export --to inspect``: logs with every committed chain, and what Inspect and ``import`` read in them."""

import json
import zipfile
from copy import deepcopy

import pyarrow as pa
import pytest
from old_runs import make_old
from runs_here import copy_of, finish

import cotfaith
from cotfaith.cluster.export.eval_file import eval_file, header_of, sample_id
from cotfaith.cluster.export.eval_sample import eval_sample
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.tables import TABLES

SPEC = {
    "models": [
        {"id": "a", "engine": "stub", "options": {"max_steps": 3, "follows_hints": 1.0, "names_hints": 1.0}},
        {"id": "b_2", "engine": "stub", "thinking": "think_tags", "options": {"max_steps": 3}},
    ],
    "tasks": [{"name": "t_1", "generator": "tracking_objects", "n": 3}],
    "sampling": {"chains_per_item": 2},
    "strategies": ["cot", "cot_decomposition"],
    "interventions": [{"name": "suggested_answer", "arms": ["wrong", "neutral"]}],
    "probes": ["no_cot", "early_answering", "verbalises"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("finished"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    return copy_of(finished, tmp_path, monkeypatch)


@pytest.fixture
def exported(run, cli):
    """The logs of the run, by model and strategy."""
    code, out, err = cli("export", "run", "--to", "inspect")
    assert (code, err) == (0, "")
    assert "4 logs with 72 samples: logs" in out
    assert "inspect view --log-dir logs" in out
    found = [log_of(path) for path in sorted((run.parent / "logs").iterdir())]
    return {(log["eval"]["model"], log["eval"]["task_args"]["strategy"]): log for log in found}


def log_of(path):
    """What a log holds: its header, with the samples and summaries."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        samples = [json.loads(archive.read(name)) for name in names if name.startswith("samples/")]
        assert {f"samples/{one['id']}_epoch_{one['epoch']}.json" for one in samples} | {
            "summaries.json",
            "header.json",
        } == set(names)
        summaries = json.loads(archive.read("summaries.json"))
        return json.loads(archive.read("header.json")) | {"samples": samples, "summaries": summaries}


def rows(run, name):
    return getattr(cotfaith.read(run), name).collect().to_dicts()


def key(sample):
    about = sample["metadata"]
    return about["item"], about["variant"], about["chain_index"]


def texts_of(message):
    """The chain in an assistant's message, without the line with the answer."""
    content = message["content"]
    return content.rpartition("\nANSWER: ")[0] if isinstance(content, str) else content[0]["reasoning"]


def test_every_chain_is_a_sample_with_its_text_and_answer(run, exported):
    found = {(*cell, *key(one)): one for cell, log in exported.items() for one in log["samples"]}
    wanted = {
        (row["model"], row["strategy"], row["item_id"], row["variant"], row["chain_index"]): row
        for row in rows(run, "chains")
    }
    assert found.keys() == wanted.keys()
    for name, row in wanted.items():
        sample = found[name]
        assert texts_of(sample["messages"][1]) == texts_of(sample["output"]["choices"][0]["message"]) == row["text"]
        assert sample["messages"][0]["content"] == row["prompt"]
        assert sample["epoch"] == row["chain_index"] + 1
        assert sample["scores"]["correct"] == {"value": "C" if row["correct"] else "I", "answer": row["answer"]}
        assert (sample["error"], sample["output"]["choices"][0]["stop_reason"]) == (None, "stop")
        plain = row["variant"] == "plain"
        assert sample["id"] == (row["item_id"] if plain else f"{row['item_id']} {row['variant']}")
        assert isinstance(sample["input"], str) is plain
        if not plain:
            assert sample["input"][0]["content"] == row["prompt"]
    assert {type(one["messages"][1]["content"]) for one in exported["b_2", "cot"]["samples"]} == {list}


def test_items_are_as_they_were_asked(run, exported):
    items = {(row["model"], row["item_id"]): row for row in rows(run, "items")}
    for (model, _), log in exported.items():
        for one in log["samples"]:
            item = items[model, one["metadata"]["item"]]
            assert (one["choices"], one["target"]) == (item["choices"], item["gold"])
            assert one["metadata"]["difficulty"] == item["difficulty"]
            assert one["metadata"]["item_metadata"] == {pair["key"]: pair["value"] for pair in item["metadata"]}
            assert item["question"] in one["messages"][0]["content"]


def test_arms_and_readings_are_all_there(run, exported):
    observations = rows(run, "observations")
    samples = [(cell, one) for cell, log in exported.items() for one in log["samples"]]
    on_chains = [row for row in observations if row["chain_index"] is not None]
    on_items = [row for row in observations if row["chain_index"] is None]
    assert len(on_items) > 0
    readings = [one for _, sample in samples for one in sample["metadata"]["readings"]]
    arms = [one for _, sample in samples for own in sample["metadata"]["arms"].values() for one in own]
    assert len(readings) == sum(row["reader_role"] == "judge" for row in on_chains) > 0
    assert len(arms) == len(on_chains) - len(readings) + 2 * len(on_items)  # once with each of an item's two chains
    named = [one for one in readings if one["label"]]
    assert named
    assert all(one["quote"] for one in named if one["question"] == "present")
    for row in on_chains:
        if row["probe"] != "early_answering":
            continue
        (sample,) = (
            one
            for cell, one in samples
            if (*cell, *key(one)) == (row["model"], row["strategy"], row["item_id"], row["variant"], row["chain_index"])
        )
        (arm,) = (one for one in sample["metadata"]["arms"]["early_answering"] if one["arm"] == row["arm"])
        assert (arm["answer"], arm["same_answer"], arm["position"]) == (
            row["answer"],
            row["same_answer"],
            row["position"],
        )


def test_readings_are_scores_that_filters_can_name(exported):
    for one in exported["a", "cot"]["samples"]:
        hinted = one["metadata"]["variant"] == "suggested_answer.wrong"
        names = {"correct", "present_rules", "relied_rules", "checked_rules"} if hinted else {"correct"}
        assert names >= one["scores"].keys() >= {"correct"}
        for reading in one["metadata"]["readings"]:
            score = one["scores"][f"{reading['question']}_rules"]
            assert score["value"] == ("yes" if reading["label"] else "no")
            assert score["explanation"] == reading.get("quote")
            assert "answer" not in score  # import would take it for the chain's
    names = [score["name"] for score in exported["a", "cot"]["results"]["scores"]]
    assert names == ["correct", "checked_rules", "present_rules", "relied_rules"]


def test_figures_and_verdicts_are_those_of_the_run_and_none_is_made(run, exported, cli):
    """Takes some seconds: it makes the run's estimates and verdicts."""
    about = exported["a", "cot"]["eval"]
    assert about["metadata"]["verdicts"] == about["tags"] == []
    assert exported["a", "cot"]["results"]["scores"][0]["metrics"] == {}
    assert cli("aggregate", "run")[0] == 0
    assert cli("gate", "run")[0] in (3, 4)
    assert cli("export", "run", "--to", "inspect", "--model", "b_2", "--out", "other")[0] == 0
    logs = [log_of(path) for path in sorted((run.parent / "other").iterdir())]
    verdicts, estimates = rows(run, "verdicts"), rows(run, "estimates")
    assert {log["eval"]["model"] for log in logs} == {"b_2"}
    for log in logs:
        cell = {"model": "b_2", "task": "t_1", "strategy": log["eval"]["task_args"]["strategy"]}
        own = [row for row in verdicts if cell.items() <= row.items()]
        assert [one["verdict"] for one in log["eval"]["metadata"]["verdicts"]] == [row["verdict"] for row in own]
        assert log["eval"]["tags"] == sorted({row["verdict"] for row in own})
        accuracy = cell | {"metric": "accuracy_cot", "method": None}
        metrics = {
            " ".join(filter(None, ("accuracy" if row["variant"] == "plain" else row["variant"], row["channel"]))): {
                "value": row["value"]
            }
            for row in estimates
            if accuracy.items() <= row.items()
        }
        found = log["results"]["scores"][0]["metrics"]
        assert {name: {"value": one["value"]} for name, one in found.items()} == metrics
        assert next(iter(found)).startswith("accuracy")


def test_an_incomplete_run_says_so(run, cli):
    store = open_store(str(run))
    for name in [name for name in store.list("_commits/a/") if "/0000002-" in name]:
        store.delete(name)
    code, out, _ = cli("export", "run", "--to", "inspect")
    assert code == 0
    assert "3 of 4 shards are done" in " ".join(out.split())
    logs = [log_of(path) for path in (run.parent / "logs").iterdir()]
    assert {
        (log["eval"]["model"], log["status"], log["eval"]["metadata"]["cotfaith"]["shards_missing"]) for log in logs
    } == {
        ("a", "cancelled", 1),
        ("b_2", "success", 0),
    }


def test_a_chain_that_failed_is_an_error_and_has_no_score():
    item = dict.fromkeys(TABLES["items"].names) | {"answer_format": "number", "gold": "5", "question": "2 + 3?"}
    chain = dict.fromkeys(TABLES["chains"].names) | {"item_id": "i", "chain_index": 0, "strategy": "cot", "model": "m"}
    chain |= {"variant": "plain", "text": "On and on", "prompt": "2 + 3?", "finish_reason": "length"}
    reading = dict.fromkeys(TABLES["observations"].names) | {"probe": "judged", "arm": "x", "reader_role": "judge"}
    reading |= {"reader": "j", "question": "relied", "status": "truncated"}
    sample = eval_sample(item, chain | {"status": "truncated", "error": "at 20 tokens", "correct": None}, [reading])
    assert (sample["scores"], sample["error"]["message"]) == ({}, "truncated: at 20 tokens")
    assert sample["output"]["choices"][0]["stop_reason"] == "max_tokens"
    assert sample["messages"][1]["content"] == "On and on"
    assert sample["metadata"]["readings"] == [
        {
            "probe": "judged",
            "arm": "x",
            "reader": "j",
            "reader_role": "judge",
            "question": "relied",
            "status": "truncated",
        }
    ]
    refused = eval_sample(item, chain | {"status": "refused", "finish_reason": "none", "text": None}, [])
    assert refused["output"]["choices"][0]["stop_reason"] == "content_filter"
    assert (refused["messages"][1]["content"], refused["error"]["message"]) == ("", "refused")
    unknown = eval_sample(item | {"gold": None}, chain | {"status": "ok", "answer": "5", "correct": None}, [])
    assert (unknown["scores"], unknown["target"], unknown["error"]) == ({}, "", None)


def test_an_old_run_and_records_of_an_experiment(tmp_path, monkeypatch, cli):
    small = {"models": SPEC["models"][:1], "strategies": ["cot"], "interventions": [], "probes": ["no_cot"]}
    make_old(finish(tmp_path, SPEC | small) / "run", 2)
    monkeypatch.chdir(tmp_path)
    record = {"item": "i", "gold": "a", "model": "m", "task": "t", "with_chain": True, "prediction": "a"}
    other = record | {"variant": "bias.wrong", "target": "b", "prediction": "b"}
    (tmp_path / "r.jsonl").write_text(json.dumps(record | {"variant": "plain"}) + "\n" + json.dumps(other))
    assert cli("import", "--paired", "r.jsonl", "--out", "paired", "--answer-format", "text")[0] == 0
    for name, n in (("run", 6), ("paired", 2)):
        code, out, err = cli("export", name, "--to", "inspect", "--out", f"logs of {name}")
        assert (code, f"1 logs with {n} samples" in out) == (0, True), err
        (path,) = (tmp_path / f"logs of {name}").iterdir()
        assert {one["metadata"]["status"] for one in log_of(path)["samples"]} == {"ok"}
    moved = next(one for one in log_of(path)["samples"] if one["metadata"]["variant"] == "bias.wrong")
    assert moved["messages"][1]["content"] == "\nANSWER: b"  # the records have no text
    assert (moved["scores"]["correct"]["value"], moved["metadata"]["pushes_towards"]) == ("I", "b")


def test_readings_with_one_name_are_all_scores():
    item = dict.fromkeys(TABLES["items"].names) | {"answer_format": "text"}
    chain = dict.fromkeys(TABLES["chains"].names) | {"item_id": "i", "chain_index": 0, "status": "ok", "model": "m"}
    one = dict.fromkeys(TABLES["observations"].names) | {"probe": "monitored", "status": "ok", "reader_role": "monitor"}
    found = [one | {"reader": "org/big-1.5b", "arm": arm, "label": label} for arm, label in (("a", True), ("b", False))]
    predicted = one | {"probe": "simulated", "reader": "ö", "reader_role": "observer", "answer": "B"}
    scores = eval_sample(item, chain, [*found, predicted])["scores"]
    assert {name: score["value"] for name, score in scores.items()} == {
        "monitored_org_big_1_5b": "yes",
        "monitored_org_big_1_5b__2": "no",
        "simulated__": "B",
    }


def test_a_summary_is_reasoning_that_is_not_shown():
    item = dict.fromkeys(TABLES["items"].names) | {"answer_format": "text"}
    chain = dict.fromkeys(TABLES["chains"].names) | {"item_id": "i", "chain_index": 0, "status": "ok", "model": "m"}
    message = eval_sample(item, chain | {"channel": "summary", "text": "It adds.", "answer": "5"}, [])["messages"][1]
    thought, said = message["content"]
    assert (thought["reasoning"], thought["summary"], thought["redacted"]) == ("", "It adds.", True)
    assert said["text"] == "ANSWER: 5"


def test_ids_name_files_and_stay_apart(tmp_path):
    for plain in ("t-1 hint.wrong/ü", "wait... what", "a..b/c.."):
        assert sample_id(plain) == plain
    odd = [
        sample_id(text) for text in ("a\0b", "a\nb", "x" * 70_000, "x" * 70_001, "../../b", "a/../b", "a\\..\\b", "..")
    ]
    assert len(set(odd)) == 8
    assert all(one.isprintable() and len(one) < 250 and ".." not in one for one in odd)
    sample = {"id": "i", "epoch": 1, "input": "?", "choices": None, "target": "", "scores": {}, "error": None}
    sample |= {"metadata": {"long": "x" * 5000, "list": ["y" * 2000], "n": 1}, "messages": [], "uuid": "u1"}
    with eval_file(tmp_path / "x.eval") as file:
        assert file.add(sample)["id"] == "i"
        assert file.add(sample | {"uuid": "u2"})["id"] == "i u2"
        file.finish({"status": "success"})
    log = log_of(tmp_path / "x.eval")
    assert [one["id"] for one in log["summaries"]] == ["i", "i u2"]
    thin = log["summaries"][0]["metadata"]
    assert (len(thin["long"]), thin["list"], thin["n"]) == (1027, "Key removed from summary (> 1k)", 1)
    assert log["samples"][0]["metadata"] == sample["metadata"]


def test_a_log_that_was_not_finished_does_not_appear(tmp_path):
    with pytest.raises(pa.ArrowException), eval_file(tmp_path / "x.eval"):
        raise pa.ArrowInvalid("damaged")
    assert list(tmp_path.iterdir()) == []
    with eval_file(tmp_path / "x.eval") as file:
        file.finish({})
    assert log_of(tmp_path / "x.eval")["summaries"] == []


def test_exporting_again_replaces_its_own_logs_and_no_other_file(run, exported, cli):
    logs = run.parent / "logs"
    before = {path: path.read_bytes() for path in logs.iterdir()}
    (logs / "mine.eval").write_text("mine")
    assert cli("export", "run", "--to", "inspect")[0] == 0
    assert {path: path.read_bytes() for path in before} == before
    first, *others = sorted(before)
    for content in (b"mine", before[others[0]]):
        first.write_bytes(content)
        (others[-1]).write_bytes(before[others[-1]])
        code, _, err = cli("export", "run", "--to", "inspect")
        assert code == 2
        assert "no export of this run wrote it" in " ".join(err.split())
        assert first.read_bytes() == content
    assert (logs / "mine.eval").read_text() == "mine"
    assert header_of(logs / "mine.eval") is header_of(logs / "none.eval") is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--to", "docent"), "--to: Unknown target 'docent'. Known: iceberg, inspect, parquet."),
        (("--to", "inspct"), "Did you mean 'inspect'?"),
        (("--to", "inspect", "--out", "s3://bucket/logs"), "expected a folder of this machine"),
        (("--to", "inspect", "--out", "spec.yaml"), "this is a file. Name a folder."),
        (("--to", "inspect", "--out", "spec.yaml/logs"), "cannot be written"),
        (("--to", "inspect", "--model", "c"), "--model: Unknown model 'c'."),
        ((), "Missing option '--to'"),
    ],
)
def test_bad_input_is_refused(run, cli, options, expected):
    code, _, err = cli("export", "run", *options)
    assert code == 2
    assert expected in " ".join(err.replace("│", " ").split())
    assert not (run.parent / "logs").exists()


def test_what_is_no_run_and_a_run_without_rows(run, cli):
    assert "there is no run here" in cli("export", "nowhere", "--to", "inspect")[2]
    store = open_store("run")
    for name in list(store.list("_commits/")):
        store.delete(name)
    code, _, err = cli("export", "run", "--to", "inspect")
    assert (code, "Nothing is committed yet" in err) == (2, True)


class TestInspect:
    """What Inspect's own reader finds; in an environment of its own, see the Makefile."""

    @pytest.fixture(scope="class")
    def log(self):
        return pytest.importorskip("inspect_ai.log", reason="inspect_ai is not installed (the extra `inspect`)")

    def test_its_reader_reads_all_samples_whole(self, log, run, exported):
        for path in sorted((run.parent / "logs").iterdir()):
            wanted, found = log_of(path), log.read_eval_log(str(path))
            assert (found.version, found.status, found.eval.model) == (2, "success", wanted["eval"]["model"])
            read = list(log.read_eval_log_samples(str(path)))
            assert len(found.samples) == len(read) == len(wanted["samples"]) == 18
            by_place = {(own["id"], own["epoch"]): own for own in wanted["samples"]}
            for one in found.samples:
                own = by_place.pop((one.id, one.epoch))
                assert (one.uuid, one.target, one.metadata) == (own["uuid"], own["target"], own["metadata"])
                assert {name: score.value for name, score in one.scores.items()} == {
                    name: score["value"] for name, score in own["scores"].items()
                }
                assert [message.role for message in one.messages] == ["user", "assistant"]
            assert by_place == {}
            summaries = log.read_eval_log_sample_summaries(str(path))
            assert [(one.id, one.epoch, one.completed) for one in summaries] == [
                (one["id"], one["epoch"], True) for one in wanted["samples"]
            ]

    def test_imported_again_chains_and_answers_are_the_same(self, log, run, exported, cli):
        code, out, err = cli("import", "logs", "--out", "chains.jsonl")
        assert code == 0, err
        assert "Took 72 of 72 chains." in out
        found = [json.loads(line) for line in (run.parent / "chains.jsonl").read_text().splitlines()]
        wanted = rows(run, "chains")
        assert sorted((one["author"], one["cot"], one["answer"], one["channel"]) for one in found) == sorted(
            (row["model"], row["text"], row["answer"], row["channel"] or "body") for row in wanted
        )
        items = {row["item_id"]: row for row in rows(run, "items")}
        asked = {row["question"] for row in items.values()} | {row["prompt"] for row in wanted if row["intervention"]}
        assert {one["question"].strip() for one in found} == {text.strip() for text in asked}
        assert {one["gold"] for one in found} == {row["gold"] for row in items.values()}

    @pytest.mark.parametrize(
        "text",
        [
            "One more. So it is.\nANSWER: 9",
            "A **b**. ANSWER: this.",
            "Trailing space. And more.   ",
            " Two\n\n\nthree.",
        ],
    )
    def test_odd_texts_come_back_as_they_were(self, log, tmp_path, monkeypatch, cli, text):
        record = {"id": "../i", "question": "What is 1 + 1?", "gold": "2", "cot": text, "answer": "2"}
        (tmp_path / "own.jsonl").write_text(json.dumps(record))
        chains = {"name": "t", "file": "own.jsonl", "adapter": "chains"}
        changed = {"tasks": [chains], "strategies": ["cot"], "interventions": [], "probes": ["early_answering"]}
        finish(tmp_path, SPEC | changed | {"models": SPEC["models"][:1]})
        monkeypatch.chdir(tmp_path)
        assert cli("export", "run", "--to", "inspect")[0] == 0
        assert cli("import", "logs", "--out", "chains.jsonl")[0] == 0
        (chain,) = rows(tmp_path / "run", "chains")
        found = json.loads((tmp_path / "chains.jsonl").read_text())
        assert (found["cot"], found["answer"], found["gold"]) == (chain["text"], chain["answer"], "2")
        assert chain["text"].strip() == text.strip()

    def test_its_schema_has_every_field(self, log, exported):
        """Inspect's classes leave out what they do not know: nothing that is written may be lost."""
        from inspect_ai.log import EvalLog, EvalSample

        for one in exported.values():
            sample = EvalSample.model_validate(deepcopy(one["samples"][0])).model_dump()
            assert one["samples"][0].keys() <= sample.keys()
            header = {name: value for name, value in one.items() if name not in ("samples", "summaries")}
            found = EvalLog.model_validate(deepcopy(header)).model_dump()
            for name, part in header.items():
                assert not isinstance(part, dict) or part.keys() <= found[name].keys(), name
