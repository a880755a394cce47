"""How jobs are divided by tokens: by hand for given lengths, and against the plan's own sums."""

import json

import pytest
from forecasts import missing_of

from cotfaith.cluster.fleet.job_size import JobSizes, cuts
from cotfaith.cluster.plan.costs import stage_costs
from cotfaith.cluster.plan.per_item import PerItem
from cotfaith.cluster.storage.ledger import Ledger

PROBES = ["no_cot", "early_answering"]


@pytest.mark.parametrize(
    ("tokens", "most", "counts"),
    [
        ([100] * 4, 400, [4]),
        ([100] * 4, 399, [2, 2]),
        ([100] * 7, 300, [3, 3, 1]),  # three parts are needed; none can be smaller than three items
        ([100] * 8, 300, [3, 3, 2]),
        ([100] * 4, 50, [1, 1, 1, 1]),  # an item is never divided
        ([10, 10, 10, 970], 1000, [4]),
        ([10, 10, 10, 980], 1000, [3, 1]),
        ([900, 10, 10, 10, 900], 1000, [3, 2]),
        ([5000, 10, 10], 1000, [1, 2]),
        ([10, 5000, 10], 1000, [1, 1, 1]),
        ([], 10, [0]),
    ],
)
def test_cuts(tokens, most, counts):
    assert cuts(tokens, most) == counts


def test_parts_are_as_even_as_can_be():
    """Filled in turn, the parts would be 4, 4, 1."""
    assert cuts([1.0] * 9, 4) == [3, 3, 3]


def sizes_of(missing):
    return JobSizes(missing.plan, PerItem(missing.plan))


def one_job(missing):
    (job,) = missing.of_subjects(Ledger())
    return job


def resources(**changes):
    return {"shard_size": 8, **changes}


class TestSampledChains:
    def of(self, path, most, **changes):
        return missing_of(path, probes=PROBES, resources=resources(shard_tokens=most), **changes)

    def test_an_items_tokens_are_its_share_of_the_plan(self, tmp_path):
        """Answers are forced to be short, as a forecast takes them to be."""
        missing = self.of(tmp_path, None, sampling={"max_tokens": 200, "answer_max_tokens": 4, "chains_per_item": 3})
        lines = stage_costs(missing.plan, 50)
        found = sizes_of(missing).tokens(one_job(missing), 50)
        assert len(found) == 8
        assert sum(found) == pytest.approx(sum(line.distinct_tokens + line.generated_tokens for line in lines))

    def test_longer_chains_make_smaller_jobs_and_all_items_are_in_one(self, tmp_path):
        each = sizes_of(plain := self.of(tmp_path, None)).tokens(one_job(plain), 50)[0]
        missing = self.of(tmp_path, round(4 * each))
        job, sizes = one_job(missing), sizes_of(missing)
        short, long = sizes.parts(job, 50), sizes.parts(job, 400)
        assert [len(part.items) for part in short] == [4, 4]
        assert len(long) > 2
        assert [item for part in long for item in part.items] == list(job.items)
        assert {part.shard for part in long} == {job.shard}
        assert len({part.name for part in long}) == len(long)

    def test_only_what_is_missing_counts_if_it_is_known(self, tmp_path):
        missing = self.of(tmp_path, None)
        job, sizes = one_job(missing), sizes_of(missing)
        probe = {piece for piece in job.wanted.pieces if piece.probe == "no_cot"}
        assert sizes.tokens(job, 200, probe)[0] < sizes.tokens(job, 200)[0] / 2

    def test_without_a_limit_nothing_is_divided(self, tmp_path):
        missing = self.of(tmp_path, None)
        job = one_job(missing)
        assert sizes_of(missing).parts(job, 1e6) == [job]

    def test_each_model_has_its_own_limit(self, tmp_path):
        models = [{"id": "a", "engine": "stub", "resources": {"shard_tokens": 1}}, {"id": "b", "engine": "stub"}]
        missing = missing_of(tmp_path, models=models, resources=resources())
        sizes = sizes_of(missing)
        assert {job.model: len(sizes.parts(job, 100)) for job in missing.of_subjects(Ledger())} == {"a": 8, "b": 1}


class TestChainsThatComeWithTheItems:
    @pytest.fixture
    def task(self, tmp_path):
        """Eight chains: six of 5 steps, then two of 50."""
        steps = [["and so it goes on."] * (50 if at > 5 else 5) for at in range(8)]
        rows = [{"id": f"i{at}", "question": "Why?", "gold": "4", "steps": own} for at, own in enumerate(steps)]
        (tmp_path / "chains.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {"name": "t", "file": str(tmp_path / "chains.jsonl"), "adapter": "chains"}

    def test_each_item_takes_what_the_plan_says_of_it(self, tmp_path, task):
        missing = missing_of(tmp_path / "run", tasks=[task], resources=resources())
        found = sizes_of(missing).tokens(one_job(missing), 1.0)
        assert found == [found[0]] * 6 + [found[6]] * 2
        assert found[6] > 5 * found[0]
        whole = sum(line.distinct_tokens + line.generated_tokens for line in stage_costs(missing.plan))
        assert sum(found) < whole  # whose chains are all of the mean length, and whose answers are of the longest
        short = missing_of(tmp_path / "other", tasks=[task | {"n": 6}], resources=resources())
        lines = stage_costs(short.plan)
        generated = sum(line.generated_tokens for line in lines)
        distinct = sum(line.distinct_tokens for line in lines)
        assert 6 * found[0] == pytest.approx(distinct + generated * 4 / 16)  # answers: 4 tokens in place of 16

    def test_cuts_fall_by_their_lengths(self, tmp_path, task):
        missing = missing_of(tmp_path / "run", tasks=[task], resources=resources())
        most = round(1.01 * sizes_of(missing).tokens(one_job(missing), 1.0)[6])
        limited = missing_of(tmp_path / "run", tasks=[task], resources=resources(shard_tokens=most))
        assert [len(part.items) for part in sizes_of(limited).parts(one_job(limited), 1.0)] == [6, 1, 1]
