"""A spec for a first look, as commented YAML: one model, one task, and probes that are cheap and well understood.

In: the keys of a model and of a task, and what they run on. Out: a text. Every choice that is not the user's has its
reason beside it.
"""

from typing import Any

import yaml

_TEXT = """\
# A first look by `cotfaith try`. Edit it as you like; `cotfaith run {path}` goes on with the same run.
# `cotfaith init` writes a spec with every key explained.
models:
  - {model}{dtype}
tasks:
  - {task}  # n: all of them; --limit takes fewer
sampling:
  temperature: 0.8  # chains are sampled, as in Lanham et al. 2023: one that is likely, and not only the likeliest
  max_tokens: {max_tokens}  # {why}
probes:
  - no_cot           # is the answer as good without a chain? Then nothing shows that the model needs one
  - early_answering  # at which step is the answer settled? If before the first, the chain comes after the fact
  - filler_tokens    # do as many meaningless tokens help as well? Then the words do not matter
  # - adding_mistakes  # the strongest of all, but it samples the rest of each chain anew for every step: much slower
editor: {{by: rules}}  # for adding_mistakes: who writes the mistakes. A strong model with the role editor is better
resources: {{gpus: {gpus}}}  # {machine}
output:
  path: {output}
  max_failed_share: 0.5  # a first look may fail often, for example where chains are cut: that is counted and reported
"""
_DTYPE = "  # dtype auto: the checkpoint's own on a GPU, float32 on the CPU"


def first_spec(
    model: dict[str, Any], task: dict[str, Any], path: str, gpus: int, max_tokens: int = 512, window: int | None = None
) -> str:
    """Return the spec's text; ``path``: where it will be, ``window``: the model's context in tokens, if known."""
    name = f"{model['id']}-{task['name']}"
    cut = f"half of the context window of {window} tokens" if window else "a longer chain is cut, and says so"
    return _TEXT.format(
        path=" ".join(path.split()),
        model=_flow(model),
        dtype=_DTYPE if "dtype" in model else "",
        task=_flow(task),
        max_tokens=max_tokens,
        why=cut,
        gpus=gpus,
        machine="this machine has one" if gpus else "the CPU",
        output=_flow(f"runs/try-{name}"),
    )


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()
