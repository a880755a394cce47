"""What a spec says of replicas, of the tokens of a job, and of prices: accepted forms, mistakes, models' own."""

import jsonschema
import pytest

from cotfaith.cluster.plan.spec_schema import spec_schema
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import Replicas, parse_spec

SPEC = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}


def resources(run, own=None):
    model = SPEC["models"][0] | {"resources": own or {}}
    spec = parse_spec(SPEC | {"models": [model], "resources": run})
    return spec.resources.of(spec.models[0])


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [({}, 1, 1), ({"replicas": 4}, 1, 4), ({"replicas": {"min": 2, "max": 8}}, 2, 8), ({"replicas": {"max": 3}}, 1, 3)],
)
def test_a_number_of_replicas_is_the_most_of_them(given, least, most):
    found = resources(given).replicas
    assert (found.min, found.max) == (least, most)
    jsonschema.validate(SPEC | {"resources": given}, spec_schema())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"replicas": {"min": 5, "max": 3}}, "resources.replicas: expected min to be at most max, got min 5 and max 3"),
        ({"replicas": {"min": -1, "max": 3}}, "resources.replicas.min: Input should be greater than or equal to 0"),
        ({"replicas": {"min": 2}}, "resources.replicas.max: this key is required"),
        ({"replicas": {"min": 1, "most": 3}}, "resources.replicas.most: Unknown key 'most'"),
        ({"replicas": "some"}, "resources.replicas.max: Input should be a valid integer"),
        ({"shard_tokens": 0}, "resources.shard_tokens: expected a number of at least 1"),
        ({"prices": {"gpu_hour": -1}}, "resources.prices.gpu_hour: Input should be greater than or equal to 0"),
        ({"prices": {"gpu_hour": float("nan")}}, "resources.prices.gpu_hour: Input should be a finite number"),
        ({"prices": {"currency": "$"}}, "resources.prices.currency: expected the three capital letters of a currency"),
    ],
)
def test_mistakes_are_named_with_their_place(given, said):
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC | {"resources": given})
    assert said in str(caught.value)


def test_a_models_own_stand_in_place_of_the_runs_and_the_others_stay():
    run = {"replicas": {"min": 2, "max": 4}, "shard_tokens": "200K", "cpus": 3}
    assert resources(run, {"replicas": 9}).replicas == Replicas(min=1, max=9)
    found = resources(run, {"shard_tokens": 5000, "price_hour": 7})
    assert (found.replicas, found.shard_tokens, found.cpus) == (Replicas(min=2, max=4), 5000, 3)
    assert resources(run).shard_tokens == 200_000
