"""What engines cost by a spec's prices: an hour, tokens, a plan, and what is said where a price lacks."""

import json

import pytest
from commands import in_process, write_spec

from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.plan.hours import Hours, Speed
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.prices import check_prices, has_prices, hour_price, planned_cost, tokens_price
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec

PRICES = {"gpu_hour": 2.5, "cpu_hour": 0.25}


def spec_of(own=None, prices=None, **resources):
    return parse_spec(
        {
            "models": [{"id": "m", "engine": "stub", "resources": own or {}}],
            "tasks": [{"name": "t", "generator": "addition", "n": 8}],
            "resources": {"prices": prices or {}, **resources},
        }
    )


def hour_of(spec, cpus):
    model = spec.models[0]
    return hour_price(model, spec.resources.of(model), cpus)


@pytest.mark.parametrize(
    ("own", "prices", "resources", "price"),
    [
        ({}, PRICES, {"gpus": 2}, 6),  # 2 x 2.5 + 4 x 0.25
        ({"gpus": 0.5}, PRICES, {"gpus": 2}, 2.25),
        ({}, PRICES, {}, 1),
        ({}, {"gpu_hour": 2.5}, {"gpus": 2}, 5),  # its CPUs are part of the GPU's price
        ({}, {"gpu_hour": 2.5}, {}, None),
        ({}, {"cpu_hour": 0.25}, {"gpus": 1}, None),
        ({}, {"cpu_hour": 0}, {}, 0),
        ({"price_hour": 7}, PRICES, {"gpus": 2}, 7),
        ({"price_per_million_tokens": {"prompt": 1}}, {}, {}, 0),
        ({"price_per_million_tokens": {"prompt": 1}}, {}, {"gpus": 1}, None),
        ({}, {}, {}, None),
    ],
)
def test_an_hour_of_an_engine_with_4_cpus(own, prices, resources, price):
    spec = spec_of(own, prices, **resources)
    assert hour_of(spec, 4) == price
    assert has_prices(spec) == (price is not None)


def test_tokens_of_a_server():
    spec = spec_of({"price_per_million_tokens": {"prompt": 2, "generated": 8}})
    assert tokens_price(spec.models[0], 3e6, 5e5) == 10
    assert tokens_price(spec_of().models[0], 3e6, 5e5) == 0


def test_a_missing_price_is_named_with_the_model_that_needs_it():
    models = [{"id": name, "engine": "stub", "resources": {"gpus": n}} for name, n in (("big", 1), ("small", 0))]
    spec = parse_spec({"models": models, "tasks": [{"name": "t", "generator": "addition"}]})
    with pytest.raises(SpecError, match=r"prices\.cpu_hour \(for small; .* and resources\.prices\.gpu_hour \(for big;"):
        check_prices(spec)
    check_prices(spec_of(prices=PRICES))


def test_a_plan_costs_its_hours_on_all_its_engines_and_its_tokens():
    """One hour on two engines of 2 CPUs, and a million generated tokens."""
    own = {"price_per_million_tokens": {"prompt": 0, "generated": 8}}
    plan = make_plan(spec_of(own, PRICES, replicas=2, shard_size=4))
    lines = [Cost("m", "t", shards=2, generated_tokens=400_000), Cost("m", "t", generated_tokens=600_000)]
    hours = Hours(lines, {"m": Speed("stated", lambda line: 1800.0)}, "run")
    found = planned_cost(plan, hours, {"m": 2.0})
    assert found.total == pytest.approx(2 * 2 * 0.25 + 8)
    assert found.note().startswith("Cost: 9.00 USD for these hours, by the spec's prices.")


def test_a_plan_of_unknown_hours_has_a_cost_only_if_they_are_free():
    unknown = Hours([Cost("m", "t", shards=1, generated_tokens=500_000)], {}, "run")
    assert planned_cost(make_plan(spec_of(prices=PRICES)), unknown, {}).total is None
    assert planned_cost(make_plan(spec_of()), unknown, {}) is None
    own = {"price_hour": 0, "price_per_million_tokens": {"generated": 8}}
    assert planned_cost(make_plan(spec_of(own)), unknown, {}).total == 4


def test_the_plan_prints_it(tmp_path):
    content = {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [{"name": "t", "generator": "addition", "n": 8}],
        "resources": {"cpus": 2, "prices": {"cpu_hour": 0.5, "currency": "EUR"}},
        "output": {"path": str(tmp_path / "run")},
    }
    file = write_spec(tmp_path, content)
    found = json.loads(in_process("plan", file, "--tokens-per-second", 1, "--json").stdout)
    (hours,) = (line["hours"] for line in found["lines"])
    assert found["cost"] == {"currency": "EUR", "models": {"m": pytest.approx(hours)}, "total": pytest.approx(hours)}
    assert f"Cost: {hours:,.2f} EUR for these hours" in in_process("plan", file, "--tokens-per-second", 1).stdout
