"""What a run's spec lacks for a question to be tested, as settings to add.

In: a question, the policy, and the run's record. Out: keys of the spec and entries, such as "interventions" and
"hint_metadata".
"""

from collections.abc import Iterable, Iterator

from cotfaith.cluster.verdicts.change import probe_of, role_of
from cotfaith.cluster.verdicts.policy import Criterion, Policy
from cotfaith.cluster.verdicts.verdict import Question
from cotfaith.schemas.run_objects import RunRecord

EXAMPLE = "hint_metadata"
"""The intervention that is named where any would do."""


def lacking(question: Question, run: RunRecord, policy: Policy) -> list[tuple[str, str]]:
    """Return (key of the spec, entry to add); none: the spec asks for all that it needs, and rows are missing."""
    needed = [one for one in policy.questions[question] if one.can_pass and not one.if_measured]
    return list(dict.fromkeys(setting for one in needed for setting in _of(one, run)))


def joined(found: Iterable[tuple[str, str]]) -> str:
    """Return the settings as the lines of a spec would be: "interventions: [hint_metadata]; probes: [verbalises]"."""
    keys: dict[str, dict[str, None]] = {}
    for key, entry in found:
        keys.setdefault(key, {})[entry] = None
    return "; ".join(f"{key}: [{', '.join(entries)}]" for key, entries in keys.items())


def _of(one: Criterion, run: RunRecord) -> Iterator[tuple[str, str]]:
    if one.arm is not None and not any(name.rpartition(".")[2] == one.arm for name in run.variants):
        yield "interventions", EXAMPLE
    probe = probe_of(one)
    if probe is not None and probe not in [known.name for known in run.spec.probes]:
        yield "probes", probe
    role = role_of(probe)
    if role and not any(role in model.roles for model in run.spec.models):
        yield "models", f"{{..., roles: [{role}]}}"
