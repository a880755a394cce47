"""A larger sampling.max_tokens on real weights: a chain that was cut comes out as it was, and goes on."""

import pytest
from forecasts import missing_of

from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.workers.engines.transformers.engine import TransformersEngine


@pytest.mark.parametrize("kind", ["llama", "words"])
def test_a_cut_chain_begins_the_longer_one(tmp_path, tiny_model, kind):
    model = {"id": "m", "engine": "transformers", "source": str(tiny_model(kind)), "chat": "never"}

    def chains(limit):
        folder = tmp_path / str(limit)
        sampling = {"max_tokens": limit, "chains_per_item": 2, "temperature": 1.0}
        missing = missing_of(folder, models=[model], sampling=sampling, probes=[], resources={"shard_size": 8})
        engine = TransformersEngine(missing.plan.model("m"), threads=1)
        for job in missing.of_subjects(Ledger()):
            run_job(job, {"subject": engine})
        rows = read_tables(LocalStore(folder))["chains"].to_dicts()
        return {(row["item_id"], row["chain_index"]): row for row in rows}

    short, longer = chains(6), chains(24)
    cut = [key for key, row in short.items() if row["finish_reason"] == "length"]
    assert len(cut) > 4
    for key, row in short.items():
        assert longer[key]["text"].startswith(row["text"])
        assert longer[key]["seed"] == row["seed"]
        assert longer[key]["n_tokens"] > row["n_tokens"] or key not in cut
