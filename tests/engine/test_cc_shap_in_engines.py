"""CC-SHAP with weights: each row's log-probability is that of one plain forward pass over the masked prompt."""

from dataclasses import replace

import pytest
import torch
import transformers

from cotfaith.schemas.records import Answer, Chain, Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.segments import Segments
from cotfaith.workers.text.turn_templates import make_templates

ITEM = Item("a", "the cat sat on the mat", "B", "choice", ("cat", "mat"))
TEXT = " the other cat sat. so mat"
CHAIN = Chain(ITEM.id, 0, TEXT, (TEXT,), Answer(Status.OK, "B"), Status.OK, 9, "stop", 0)


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_rows_are_what_a_plain_forward_pass_gives(tiny_model, kind):
    folder = tiny_model(kind)
    spec = parse_spec(
        {
            "models": [{"id": "m", "source": str(folder), "dtype": "float32"}],
            "tasks": [{"name": "t", "generator": "addition"}],
            "probes": [{"name": "cc_shap", "options": {"segments": 3, "orders": 6}}],
            "prompts": {"cot": "So:", "no_cot_question": "?", "choice_prefill": "("},
        }
    )
    model = spec.models[0]
    codec = load_codec(model)
    work = ShardWork(spec, model, spec.tasks[0], "cot", (ITEM,), codec)
    found = work.run_probes([CHAIN], ["cc_shap"], {"subject": find_engine(model).make(model, 1)})
    rows = [row.observation for row in found]
    assert len(rows) == 2 * (2 + 6 * 2)
    assert {row.answer.status for row in rows} == {Status.OK}

    weights = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    templates, segments = make_templates(model, spec.prompts, codec), Segments.of(ITEM, 3)
    kept = {}
    for row in rows:
        chosen = kept[row.condition, row.rollout] = {*kept.get((row.condition, row.rollout), ()), row.step} - {None}
        masked = segments.only(chosen if row.rollout is not None else {1, 2, 3} if row.position else ())
        prompt, text = (templates.no_cot(masked), "B") if row.condition == "answer" else (templates.cot(masked), TEXT)
        (wanted,) = row.answer.logprobs
        assert wanted == pytest.approx(_log_probability(weights, codec, prompt, text), abs=2e-3)
    assert len({round(row.answer.logprobs[0], 3) for row in rows if row.condition == "chain"}) == 8


def _log_probability(weights, codec, prompt, text):
    ids, start = codec.encode(prompt + text), len(codec.encode(prompt))
    with torch.no_grad():
        logprobs = weights(torch.tensor([ids])).logits.log_softmax(-1)[0]
    return sum(logprobs[i - 1, ids[i]].item() for i in range(start, len(ids)))


def test_a_prompt_beyond_the_window_is_a_status(tiny_model):
    folder = tiny_model("llama")
    spec = parse_spec(
        {
            "models": [{"id": "m", "source": str(folder)}],
            "tasks": [{"name": "t", "generator": "addition"}],
            "probes": ["cc_shap"],
        }
    )
    model = spec.models[0]
    work = ShardWork(spec, model, spec.tasks[0], "cot", (ITEM,), load_codec(model))
    long = replace(CHAIN, text=TEXT * 20, steps=(TEXT * 20,))
    rows = work.run_probes([long], ["cc_shap"], {"subject": find_engine(model).make(model, 1)})
    statuses = {(row.observation.condition, row.observation.answer.status) for row in rows}
    assert statuses == {("answer", Status.OK), ("chain", Status.CONTEXT_OVERFLOW)}
