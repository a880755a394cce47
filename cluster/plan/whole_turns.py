"""What a chat endpoint cannot do, in words: a line for each probe, strategy or setting, with the way out.

In: who asks for what, of a model that gets whole turns. Out: a text. Knows nothing about servers.
"""

from collections.abc import Mapping, Set

from cotfaith.workers.engines.resolved import ResolvedModel

_WHY = {
    "prefill": "it begins a text that the model continues, which a chat endpoint cannot do",
    "score": "it needs log-probabilities of given texts, which a chat endpoint does not offer",
    "generate": "it needs generated text",
}


def refusal(model: ResolvedModel, task: str, lacking: Mapping[str, Set[str]], scored: bool) -> str:
    """Return what the model cannot do for ``task``; ``lacking`` maps who asks to what is not offered.

    ``scored``: whether the task's answers are to be scored.
    """
    lines = [f"  {who}: {'; '.join(_WHY[need] for need in sorted(needs))}." for who, needs in lacking.items()]
    opening = f"Task {task!r} asks model {model.spec.id!r} for what its server (api: chat) does not offer:"
    return "\n".join([opening, *lines, *_ways(lacking, scored)])


def _ways(lacking: Mapping[str, Set[str]], scored: bool) -> list[str]:
    never = {"prefill"} if scored else {"prefill", "score"}
    begun = [who for who, needs in lacking.items() if needs & never]
    ways = ["Set answer_by: auto or generate for the task."] if scored else []
    if begun:
        ways.append(
            f"Remove {' and '.join(begun)}, or ask this model in another way: api: completions, vllm or transformers."
        )
    return ways
