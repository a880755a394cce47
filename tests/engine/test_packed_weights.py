"""A second copy of weights, ordered for products of few rows, changes no result beyond float noise."""

import pytest
import torch
from torch import nn

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.transformers import engine as engine_module
from cotfaith.workers.engines.transformers import packed_weights
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.packed_weights import SMALLEST, use_packed_weights

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN, so nothing is copied"
)


class Layers(nn.Module):
    """Layers of three sizes: 1,200, 786,432 and 524,288 weights."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self):
        super().__init__()
        self.small = nn.Linear(30, 40)
        self.large = nn.Linear(512, 1536)
        self.middle = nn.Linear(1024, 512, bias=False)


LARGE, MIDDLE = 4 * 512 * 1536, 4 * 1024 * 512


def is_changed(layer):
    return "forward" in vars(layer)


def rounded(model, dtype):
    """Round the weights to what ``dtype`` holds, as those of a model that was published in it."""
    for weights in model.parameters():
        weights.data = weights.data.to(dtype).float()
    return model


SHAPES = [(1,), (2, 1), (3, 1), (8, 1), (2, 16), (32,), (33,), (5, 40)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("published", [torch.float32, torch.bfloat16, torch.float16])
def test_products_are_those_of_the_weights(shape, published):
    model = rounded(Layers(), published)
    states = {name: torch.randn(*shape, layer.in_features) for name, layer in model.named_children()}
    plain = {name: layer(states[name]) for name, layer in model.named_children()}
    size = LARGE + MIDDLE
    assert use_packed_weights(model, 10**9, 8) == (size if published == torch.float32 else size // 2)
    for name, layer in model.named_children():
        torch.testing.assert_close(layer(states[name]), plain[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("power", [-40, -20, -8, 0, 8, 20, 40])
def test_weights_of_any_size_are_held_in_float16_if_bfloat16_holds_them(power):
    model = rounded(Layers(), torch.bfloat16)
    with torch.no_grad():
        model.large.weight *= 2.0**power
        model.large.weight[0, :9] = 2.0 ** (power - 4.0 * torch.arange(9))  # far smaller than the others
    states = torch.randn(8, 512)
    plain = model.large(states).detach()
    assert use_packed_weights(model, LARGE // 2, 8) == LARGE // 2
    torch.testing.assert_close(model.large(states), plain, rtol=1e-5, atol=1e-5 * float(plain.abs().max()))


@pytest.mark.parametrize("odd", [1 + 2.0**-11, 2.0**70, float("inf"), float("nan")])
def test_one_weight_that_float16_does_not_hold_keeps_its_layer_in_float32(odd):
    model = rounded(Layers(), torch.bfloat16)
    with torch.no_grad():
        model.large.weight[7, 9] = odd
    assert packed_weights._scale(model.middle.weight.detach()) is not None
    assert packed_weights._scale(model.large.weight.detach()) is None


@pytest.mark.parametrize(
    ("budget", "changed"),
    [
        (0, []),
        (MIDDLE - 1, []),
        (MIDDLE, ["middle"]),  # the largest does not fit, the next one does
        (LARGE, ["large"]),
        (LARGE + MIDDLE, ["large", "middle"]),
    ],
)
def test_copies_stay_within_the_budget_and_the_largest_come_first(budget, changed):
    model = Layers()
    assert use_packed_weights(model, budget, 8) == sum({"large": LARGE, "middle": MIDDLE}[name] for name in changed)
    assert [name for name, layer in model.named_children() if is_changed(layer)] == changed


@pytest.mark.parametrize("published", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("why", ["half", "one row", "no such product", "another result"])
def test_what_cannot_be_multiplied_so_is_left_alone(why, published, monkeypatch):
    model, rows = rounded(Layers(), published), 8
    if why == "half":
        model.dtype = torch.bfloat16
    elif why == "one row":
        model, rows = Layers(), 1
    elif why == "no such product":
        for name in ("_half", "_ordered"):
            monkeypatch.setattr(packed_weights, name, lambda layer, **rows: torch.ops.mkldnn.no_such_product())
    else:
        for name in ("_half", "_ordered"):
            monkeypatch.setattr(packed_weights, name, lambda layer, **rows: lambda states: 0.999 * layer(states))
    assert use_packed_weights(model, 10**9, rows) == 0
    assert not any(is_changed(layer) for layer in model.children())


def test_one_row_reads_half_the_bytes():
    model = rounded(Layers(), torch.bfloat16)
    assert use_packed_weights(model, 10**9, 1) == (LARGE + MIDDLE) // 2


def test_layers_of_another_kind_are_left_alone():
    class Scaled(nn.Linear):
        def forward(self, states):
            return 2 * super().forward(states)

    model = Layers()
    model.large = Scaled(512, 1536)
    assert use_packed_weights(model, 10**9, 8) == MIDDLE
    assert SMALLEST <= 1024 * 512


@pytest.mark.parametrize("published", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["llama", "gemma3", "gpt_neox"])
def test_an_engine_gives_the_same_texts_and_scores(kind, published, tiny_model, monkeypatch):
    monkeypatch.setattr(packed_weights, "SMALLEST", 1)
    load = engine_module._load

    def load_rounded(*arguments):
        model, tokenizer = load(*arguments)
        return rounded(model, published), tokenizer

    monkeypatch.setattr(engine_module, "_load", load_rounded)

    def engine(gb):
        spec = ModelSpec(id="tiny", source=str(tiny_model(kind)), dtype="float32", options={"packed_gb": gb})
        return TransformersEngine(spec, threads=1)

    plain, packed = engine(0), engine(1)
    assert not any(map(is_changed, plain.model.modules()))
    assert is_changed(packed.model.get_output_embeddings())
    requests = [GenerateRequest((n, 3, n + 1), 5 + n, 0.0, 1.0, n) for n in range(6)]
    assert plain.generate(requests) == packed.generate(requests)
    asked = [ScoreRequest((n, 3), ((1,), (2, n))) for n in range(6)]
    torch.testing.assert_close(torch.tensor(plain.score(asked)), torch.tensor(packed.score(asked)), rtol=0, atol=1e-4)
