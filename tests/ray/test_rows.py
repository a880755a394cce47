"""A row that fails keeps its status: in the tables, in `status`, in the run's last lines and in the report."""

import json
import re
from collections import Counter

import polars as pl
import pytest
from commands import in_process, write_spec

from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore

CHAINS = 3
MAX_TOKENS = 60  # the stub's longest chains are twice as long
WINDOW = 600
SHORT, LONG = 6, 2


@pytest.fixture(scope="module")
def run(shared_ray, tmp_path_factory):
    """A run of two models with questions that are too long, chains that are cut and answers that cannot be read."""
    folder = tmp_path_factory.mktemp("rows")
    questions = [f"How much is {i} plus {i}?" for i in range(SHORT)]
    questions += [f"How much is {i} plus {i}? {'Think. ' * WINDOW}" for i in range(LONG)]
    lines = [json.dumps({"q": question, "a": str(i)}) for i, question in enumerate(questions)]
    (folder / "items.jsonl").write_text("\n".join(lines))
    task = {"name": "t", "file": "items.jsonl", "fields": {"question": "q", "gold": "a"}, "answer_format": "number"}
    models = [
        {"id": "clear", "engine": "stub", "options": {"max_context": WINDOW}},
        {"id": "garbled", "engine": "stub", "options": {"max_context": WINDOW, "garbage_answers": True}},
    ]
    content = {
        "models": models,
        "tasks": [task],
        "probes": ["no_cot", "early_answering", "filler_tokens"],
        "sampling": {"chains_per_item": CHAINS, "max_tokens": MAX_TOKENS},
        "resources": {"shard_size": 4},
        "output": {"path": "run", "max_failed_share": 1},
    }
    done = in_process("run", write_spec(folder, content), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done


@pytest.fixture(scope="module")
def tables(run):
    return read_tables(LocalStore(run[0]))


@pytest.fixture(scope="module")
def failed(tables):
    """Rows that are not ok, by status."""
    both = [*tables["chains"]["status"], *tables["observations"]["status"]]
    return Counter(status for status in both if status != "ok")


def named_counts(text):
    counts = Counter()
    for count, status in re.findall(r"\b(\d[\d,]*) ([a-z]+(?:_[a-z]+)*)\b", text):
        counts[status] += int(count.replace(",", ""))
    return counts


def test_no_row_is_dropped(tables):
    assert tables["items"].height == 2 * (SHORT + LONG)
    assert tables["chains"].height == 2 * (SHORT + LONG) * CHAINS
    seen = tables["observations"].filter(pl.col("probe") == "no_cot")
    assert seen.height == 2 * (SHORT + LONG)
    for probe in ("early_answering", "filler_tokens"):
        seen = tables["observations"].filter(pl.col("probe") == probe)
        assert seen["item_id"].n_unique() == SHORT + LONG


def test_each_failure_has_its_status(tables, failed):
    assert set(failed) == {"context_overflow", "truncated", "unparsed"}
    chains = tables["chains"].join(tables["items"].select("model", "item_id", "question"), on=["model", "item_id"])
    too_long = chains.filter(pl.col("question").str.len_bytes() > WINDOW)
    assert set(too_long["status"]) == {"context_overflow"}
    assert too_long.height == 2 * LONG * CHAINS
    sampled = chains.filter(pl.col("question").str.len_bytes() <= WINDOW)
    cut = sampled.filter(pl.col("finish_reason") == "length")
    assert set(cut["status"]) == {"truncated"}
    assert set(cut["n_tokens"]) == {MAX_TOKENS}
    whole = sampled.filter(pl.col("finish_reason") == "stop")
    assert set(whole.filter(pl.col("model") == "clear")["status"]) == {"ok"}
    assert set(whole.filter(pl.col("model") == "garbled")["status"]) == {"unparsed"}


@pytest.mark.parametrize("name", ["chains", "observations"])
def test_failed_rows_say_why_and_have_no_metrics(tables, name):
    rows = tables[name].filter(pl.col("status") != "ok")
    assert rows.height > 0
    assert rows["error"].null_count() == 0
    for column in {"correct", "p_gold", "same_answer"} & set(rows.columns):
        assert rows[column].null_count() == rows.height, column


def test_chains_that_cannot_be_probed_give_one_row_with_their_status(tables):
    key = ["model", "item_id", "chain_index"]
    bad = tables["chains"].filter(pl.col("status") != "ok").select(*key, pl.col("status").alias("of_chain"))
    rows = tables["observations"].filter(pl.col("probe") == "early_answering").join(bad, on=key)
    assert rows.height == bad.height > 0
    assert rows["status"].to_list() == rows["of_chain"].to_list()


def test_status_counts_them(run, failed, cli):
    code, out, _ = cli("status", run[0])
    assert code == 0
    found = named_counts(out)
    assert {status: found[status] for status in failed} == failed


def test_the_last_lines_of_the_run_count_them(run, tables, failed):
    total = tables["chains"].height + tables["observations"].height
    shown = next(line for line in run[1].stdout.splitlines() if "are not ok" in line)
    assert shown.startswith(f"{failed.total()} of {total} rows are not ok (")
    assert named_counts(shown.split("(")[1].split(")")[0]) == failed
    assert f"{failed.total()} of {total} rows not ok" in run[1].stderr


def test_the_run_warns_of_questions_that_do_not_fit(run):
    for model in ("clear", "garbled"):
        assert f"{model} on t: {LONG} of {SHORT + LONG} questions" in run[1].stderr


def test_the_report_counts_them(run, failed):
    html = (run[0] / "report.html").read_text()
    table = html.split("<h2>Rows by status</h2>")[1].split("</table>")[0]
    heads = re.findall(r"<th[^>]*>(.*?)</th>", table)
    counts = Counter()
    for row in re.findall(r"<tr><td.*?</tr>", table):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
        counts.update({h: int(c) for h, c in zip(heads[3:-1], cells[3:-1], strict=True) if h != "ok"})
    assert counts == failed


def test_the_report_shows_a_failed_chain(run):
    html = (run[0] / "report.html").read_text()
    assert re.search(r'<span class="tag failed">(context_overflow|truncated|unparsed)</span>', html)
