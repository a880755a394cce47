"""A plan names every model that cannot be used, whatever is wrong with it."""

import pytest

from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import InputError, ModelSourceError, TaskError
from cotfaith.schemas.spec import parse_spec


def plan(tmp_path, *models, **more):
    content = {
        "models": list(models),
        "tasks": [{"name": "t", "generator": "addition", "n": 2}],
        "output": {"path": str(tmp_path / "run")},
    }
    return make_plan(parse_spec(content | more))


def test_every_broken_model_is_named_at_once(tmp_path):
    for name in ("no_weights", "no_tokenizer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "no_tokenizer" / "model.safetensors").write_bytes(b"anything")
    folders = [{"id": name, "source": str(tmp_path / name)} for name in ("missing", "no_weights", "no_tokenizer")]
    wrong_option = {"id": "option", "engine": "stub", "options": {"max_step": 1}}
    with pytest.raises(ModelSourceError) as caught:
        plan(tmp_path, {"id": "good", "engine": "stub"}, *folders, wrong_option)
    text = str(caught.value)
    assert text.startswith("4 things about this spec cannot be used:\n")
    assert all(name in text for name in ("missing", "no_weights", "no_tokenizer", "option"))
    assert "good" not in text


def test_one_broken_model_keeps_its_own_error(tmp_path):
    with pytest.raises(ModelSourceError, match=r"^models\.m\.source: '/nowhere' is not a folder"):
        plan(tmp_path, {"id": "good", "engine": "stub"}, {"id": "m", "source": "/nowhere"})


def test_another_mistake_is_named_beside_broken_models(tmp_path):
    tasks = [{"name": "t", "file": str(tmp_path / "none.json"), "fields": {"question": "q", "gold": "g"}}]
    with pytest.raises(TaskError):
        plan(tmp_path, {"id": "good", "engine": "stub"}, tasks=tasks)
    with pytest.raises(InputError) as caught:
        plan(tmp_path, {"id": "m", "source": "/nowhere"}, tasks=tasks)
    assert "none.json" in str(caught.value)
    assert "models.m.source" in str(caught.value)
