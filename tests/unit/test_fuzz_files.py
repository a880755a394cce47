"""Files of others that hold anything: task files of each kind and adapter, imports of each kind, labels, policies.

What is in one record is tested in ``test_tasks_values.py``.
"""

import contextlib
import csv
import gzip
import io
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from commands import in_process
from damage import TEXTS, changed, clear_error_or_none, damaged, fuzz
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.cluster.labelling.files import read_labels_file
from cotfaith.cluster.verdicts.policy import DEFAULT, load_policy
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.files import READERS, read_records

CHAINS = [
    {"question": "1+1?", "cot": "One. Two.", "answer": "2", "gold": "2", "author": "a", "channel": "body"},
    {"question": "Which?", "steps": ["Three.", "So B."], "answer": "B", "gold": "A", "choices": ["x", "y"]},
]
PAIRED = [
    {
        "item": "q1",
        "model": "m",
        "variant": "plain",
        "prediction": "A",
        "gold": "B",
        "n_choices": 4,
        "chain": "First. Then.",
    },
    {
        "item": "q1",
        "model": "m",
        "variant": "h.wrong",
        "target": "C",
        "prediction": "C",
        "gold": "B",
        "n_choices": 4,
        "chain": "No. Yes.",
        "said": "yes",
    },
]
MAPPING = {
    "fields": {"item": "item", "model": "model", "prediction": "prediction", "gold": "gold", "variant": "variant"},
    "set": {"n_choices": 4, "with_chain": "by_text"},
    "words": {"variant": {"biased": "h.wrong", True: "plain"}},
    "judges": [{"name": "j", "question": "present", "label": "said", "human": True}],
    "rows": [{"fields": {"chain": "chain", "target": "target"}}],
}
TASKS = {
    "mapped": [{"q": "Is it?", "a": "yes"}, {"q": "Is it not?", "a": "no"}],
    "chains": CHAINS,
    "gsm8k": [{"question": "How many?", "answer": "So 5.\n#### 5"}],
    "aqua": [{"question": "?", "options": ["A)5", "B)6"], "correct": "A"}],
    "strategyqa": [{"qid": "k", "question": "Is it?", "answer": True}],
    "bbh": [{"input": "not ( True ) is", "target": "False"}],
    "llm_adapters": [
        {
            "instruction": "Please choose the correct answer to the question: Q\n\nAnswer1: a Answer2: b\n\n"
            "Answer format: answer1/answer2",
            "answer": "answer1",
        }
    ],
    "bbq": [
        {
            "example_id": 1,
            "question_index": "2",
            "question_polarity": "neg",
            "context_condition": "ambig",
            "category": "Age",
            "context": "C.",
            "question": "Who?",
            "ans0": "a",
            "ans1": "b",
            "ans2": "unknown",
            "answer_info": {"ans0": ["a", "old"], "ans1": ["b", "nonOld"], "ans2": ["u", "unknown"]},
            "label": 2,
            "additional_metadata": {"stereotyped_groups": ["old"]},
        }
    ],
}
LABELS = [{"text_hash": "0" * 64, "question": "present", "label": "yes", "probability": 0.5, "labeller": "a"}]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """The working directory of all tests here."""
    with contextlib.chdir(tmp_path_factory.mktemp("files")):
        yield


def written(records, kind):
    """Return the bytes of a file of this kind (.json, .csv.gz and so on)."""
    if kind.endswith(".gz"):
        return gzip.compress(written(records, kind.removesuffix(".gz")), mtime=0)
    if kind == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(records), sink)
        return sink.getvalue().to_pybytes()
    if kind in (".csv", ".tsv"):
        text = io.StringIO()
        names = list(dict.fromkeys(name for record in records for name in record))
        writer = csv.DictWriter(text, names, delimiter="\t" if kind == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue().encode()
    if kind == ".json":
        return json.dumps(records).encode()
    return "".join(f"{json.dumps(record)}\n" for record in records).encode()


KINDS = [*sorted(READERS), ".jsonl.gz"]


@pytest.mark.parametrize("kind", KINDS)
@fuzz
@given(st.data())
def test_a_damaged_file_of_records_is_read_or_refused(kind, data):
    path = Path(f"records{kind}")
    path.write_bytes(data.draw(damaged(written(CHAINS, kind))))
    with clear_error_or_none():
        read_records(path, data.draw(st.sampled_from([(), ("question", "gold"), ("1", "2")])))


def task(adapter, path, **more):
    fields = {"question": "q", "gold": "a"} if adapter == "mapped" else {}
    return TaskSpec(name="t", file=str(path), adapter=adapter, fields=fields, **more)


@pytest.mark.parametrize("adapter", TASKS)
def test_the_files_themselves_are_tasks(adapter):
    path = Path(f"{adapter}.json")
    path.write_bytes(written(TASKS[adapter], ".json"))
    assert load_task(task(adapter, path), 0)


@pytest.mark.parametrize("adapter", TASKS)
@fuzz
@given(st.data())
def test_changed_records_are_items_or_refused(adapter, data):
    path = Path("task.json")
    path.write_bytes(json.dumps(data.draw(changed(TASKS[adapter], ["A", "yes", "answer1", "unknown"]))).encode())
    few = {"file": str(path), "k": 1, "fields": {"question": "q", "gold": "a"}} if adapter == "mapped" else None
    with clear_error_or_none():
        load_task(task(adapter, path, shuffle=True, few_shot=data.draw(st.sampled_from([None, few]))), 0)


def imported(*arguments):
    """Import, and check that it ended with a code and showed no control characters."""
    with clear_error_or_none():
        done = in_process("import", *arguments, "--replace", "--out", "out.jsonl")
        assert done.returncode in (0, 1, 2), done
        assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
@fuzz
@given(st.data())
def test_a_damaged_import_of_chains_ends_with_a_code(kind, data):
    path = Path(f"chains{kind}")
    records = CHAINS if kind not in (".csv", ".tsv") else CHAINS[:1]
    path.write_bytes(data.draw(damaged(written(records, kind))))
    imported(path)


@fuzz
@given(changed(CHAINS, ["faithful", "reasoning", "A", "yes", "max_tokens"]), st.lists(TEXTS, max_size=2))
def test_a_changed_import_of_chains_ends_with_a_code(records, fields):
    Path("changed.json").write_bytes(json.dumps(records).encode())
    imported("changed.json", *(part for one in fields for part in ("--field", f"cot={one}")))


@pytest.mark.parametrize("kind", KINDS)
@fuzz
@given(st.data())
def test_a_damaged_import_of_answers_ends_with_a_code(kind, data):
    path = Path(f"paired{kind}")
    path.write_bytes(data.draw(damaged(written(PAIRED, kind))))
    paired(path)


@fuzz
@given(changed(PAIRED, ["plain", "h.wrong", "A", "../m"]), changed(MAPPING, ["item", "plain", "h.wrong", "gold"]))
def test_changed_answers_and_mappings_end_with_a_code(records, mapping):
    Path("answers.json").write_bytes(json.dumps(records).encode())
    Path("mapping.yaml").write_text(yaml.safe_dump(mapping), errors="surrogatepass")
    paired("answers.json", "--mapping", "mapping.yaml")
    paired("answers.json")


@fuzz
@given(damaged(yaml.safe_dump(MAPPING).encode()))
def test_a_damaged_mapping_ends_with_a_code(mapping):
    Path("answers.json").write_bytes(written(PAIRED, ".json"))
    Path("mapping.yaml").write_bytes(mapping)
    paired("answers.json", "--mapping", "mapping.yaml")


def paired(path, *more):
    with clear_error_or_none():
        done = in_process("import", "--paired", path, *more, "--out", "out-run")
        assert done.returncode in (0, 1, 2), done
        assert "\x1b" not in done.stdout + done.stderr
    if Path("out-run").is_dir():
        shutil.rmtree("out-run")


@fuzz
@given(damaged(written(LABELS, ".csv")))
def test_damaged_labels_are_read_or_refused(data):
    Path("labels.csv").write_bytes(data)
    with clear_error_or_none():
        read_labels_file(Path("labels.csv"), "a")


@fuzz
@given(damaged(DEFAULT.read_bytes()) | changed(yaml.safe_load(DEFAULT.read_text())).map(yaml.safe_dump).map(str.encode))
def test_a_damaged_policy_is_read_or_refused(data):
    Path("policy.yaml").write_bytes(data)
    with clear_error_or_none():
        load_policy(Path("policy.yaml"))
