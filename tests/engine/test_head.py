"""A model's output head by itself (workers/engines/transformers/head.py)."""

import pytest
import torch
import transformers

from cotfaith.workers.engines.transformers.head import head_of, recorded

TOKENS = torch.tensor([[5, 7, 11, 13]])


@pytest.fixture
def model(tiny_model):
    return transformers.AutoModelForCausalLM.from_pretrained(tiny_model("gemma3"), dtype=torch.float32).eval()


@torch.inference_mode()
def test_states_of_a_pass_give_its_logits_again(model):
    head = head_of(model)
    with recorded(model) as last:
        expected = model(input_ids=TOKENS).logits[0]
    torch.testing.assert_close(head(last.states_BTD[0]), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(head(last.states_BTD[0][2:3]), expected[2:3], rtol=0, atol=1e-5)


@torch.inference_mode()
def test_the_model_is_left_as_it_was(model):
    head = head_of(model)
    head(torch.zeros(2, head.width))
    assert "forward" not in vars(model.model)
    ordinary = model.model.forward

    def replaced(*args, **kwargs):
        return ordinary(*args, **kwargs)

    model.model.forward = replaced
    head(torch.zeros(2, head.width))
    assert model.model.forward is replaced


@pytest.mark.parametrize("second", ["raises", "differs", "has another shape"])
@torch.inference_mode()
def test_a_head_that_fails_by_itself_is_none(model, monkeypatch, second):
    ordinary, passes = model.lm_head.forward, []

    def forward(states):
        passes.append(states)
        if len(passes) == 1:
            return ordinary(states)
        if second == "raises":
            raise RuntimeError("one position only")
        return 1.01 * ordinary(states) if second == "differs" else ordinary(states[:, :1])

    monkeypatch.setattr(model.lm_head, "forward", forward)
    assert head_of(model) is None
    assert len(passes) == 2
    assert "forward" not in vars(model.model)
