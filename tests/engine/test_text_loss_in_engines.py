"""The loss of a text, beside one plain pass of the model over each window."""

import pytest
import torch
import transformers

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.text_loss import text_loss
from cotfaith.workers.engines.transformers.engine import TransformersEngine

TEXT = "the cat sat on the mat, and then the other cat sat there; so they both sat. " * 3


def plain_loss(folder, tokens, spans):
    """The definition: (start of the window, first counted token, end) -> -log P of the counted tokens."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    total = 0.0
    for start, first, end in spans:
        with torch.inference_mode():
            logprobs_TV = model(torch.tensor([tokens[start:end]])).logits[0].double().log_softmax(-1)
        total -= sum(logprobs_TV[at - start - 1, tokens[at]].item() for at in range(first, end))
    return total


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox"])
def test_it_is_the_models_own(tiny_model, kind):
    folder = tiny_model(kind)
    spec = ModelSpec(id="tiny", source=str(folder), dtype="float32", chat="never")
    codec = load_codec(spec)
    tokens = codec.encode(TEXT)
    assert len(codec.encode("")) == 0
    found = text_loss(TransformersEngine(spec, threads=1), codec, TEXT, 64)
    spans = [(0, 1, 64)] + [(at - 32, at, min(at + 32, len(tokens))) for at in range(64, len(tokens), 32)]
    assert found.nats == pytest.approx(plain_loss(folder, tokens, spans), rel=1e-4)
    assert (found.n_tokens, found.n_bytes) == (len(tokens) - 1, len(TEXT) - 1)


def test_a_language_model_foretells_english_better_than_letters(smollm2):
    spec = ModelSpec(id="smollm2", source=str(smollm2), dtype="float32", chat="never")
    engine, codec = TransformersEngine(spec, threads=1), load_codec(spec)
    words = "The capital of France is Paris. The sun rises in the east and sets in the west."
    told, letters = text_loss(engine, codec, words), text_loss(engine, codec, words[::-1])
    assert told.per_byte < 0.6 < letters.per_byte
