"""What to do about what went wrong in a run, in sentences: one for each status that is not ok, and for weak figures.

In: the run's record, what is committed, and the estimates. Out: sentences that say what happened, how often, and what
to do. Counts are of the rows that are current. Knows nothing about terminals or pages; ids in them are untrusted text.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cotfaith.cluster.stats.estimates import Estimate, plain
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.status import Status

FEW_ARE_RIGHT = 0.05
"""Accuracy up to which it is said that the answers may not be read as they are meant."""
MOST_NAMED = 3
"""The most models and tasks that a sentence names."""
FEW_CHAINS = 0.5
"""The share of usable chains below which a probe is said to have too few."""

ADVICE = {
    Status.UNPARSED: "lead to no answer that can be read: look at some with 'cotfaith show RUN ITEM'. In another "
    "output.path, set the task's answer_by to score if it has choices, or raise sampling.answer_max_tokens",
    Status.EMPTY_CHAIN: "are empty: the model wrote no chain. See the prompt in the report's transcripts; the model "
    "may need another chat template or instruction (models[].chat_template, prompts) and another output.path",
    Status.CONTEXT_OVERFLOW: "do not fit the model's context window: use shorter items, a model with a larger window, "
    "or a smaller sampling.max_tokens in another output.path",
    Status.ENGINE_ERROR: "failed in the engine: 'cotfaith show RUN ITEM' has the reason. They are not tried again in "
    "this folder; fix the cause and use another output.path",
    Status.REFUSED: "were refused by the model or its server: they are no failure of the run, and have no figures. "
    "'cotfaith show RUN ITEM' has what was said",
    Status.ENCRYPTED: "have reasoning that the server does not show whole, so they have no figures. To measure what it "
    "shows, name the model again in another output.path with options.channel: summary or body",
    Status.UNSUPPORTED: "are a reader's yes with a quote that is not in the chain, so they have no label: "
    "'cotfaith show RUN ITEM' has the quotes, and another judge may quote better",
    Status.ITEM_ERROR: "failed in our code or a plug-in's: 'cotfaith show RUN ITEM' has the error. They are not tried "
    "again in this folder",
    Status.QUARANTINED: "belong to items that ended their engine: fix the cause, then run again with "
    "--retry-quarantined; only those are computed again",
    Status.EDIT_FAILED: "had nothing that the editor could change, and have no figures: another editor may find more "
    "(editor.by)",
}
"""What a status says of rows, and what to do."""
SETTINGS = {
    Status.TRUNCATED: ("were cut by the limit of tokens", "sampling.max_tokens"),
    Status.UNPARSED: ("lead to no answer that can be read", "tasks[].answer_by=score, or sampling.answer_max_tokens"),
    Status.EMPTY_CHAIN: ("are empty", "models[].chat_template, or prompts"),
    Status.CONTEXT_OVERFLOW: ("do not fit the model's context window", "a smaller sampling.max_tokens"),
    Status.ENGINE_ERROR: ("failed in the engine", "cotfaith show RUN ITEM has the reason"),
    Status.ENCRYPTED: ("have reasoning that is not shown whole", "models[].options.channel=summary"),
    Status.UNSUPPORTED: ("are a yes with a quote that is not in the chain", "another judge"),
    Status.ITEM_ERROR: ("failed in our code or a plug-in's", "cotfaith show RUN ITEM has the error"),
    Status.QUARANTINED: ("belong to items that ended their engine", "cotfaith run SPEC --retry-quarantined"),
    Status.EDIT_FAILED: ("had nothing that the editor could change", "editor.by"),
}
"""What a status says of rows in short, and what to set; a refusal is no failure, and nothing is to be set."""


@dataclass(frozen=True)
class Ending:
    """What rows ended with, and what to do about it."""

    text: str
    """The whole sentence."""
    short: str = ""
    """What was found; "": nothing in the spec changes it."""
    setting: str = ""
    """What to set, such as "sampling.max_tokens=256"."""
    share: float = 0.0
    """Of all such rows, those that it is about."""


def endings(run: RunRecord, ledger: Ledger, estimates: Sequence[Estimate] = ()) -> list[str]:
    """Return the sentences of ``found_endings``."""
    return [one.text for one in found_endings(run, ledger, estimates)]


def found_endings(run: RunRecord, ledger: Ledger, estimates: Sequence[Estimate] = ()) -> list[Ending]:
    """Return what rows ended with, the chains' first; none if all is well, or if the rows are others' records."""
    if run.imported is not None:  # nothing can be done about them
        return []
    chains, probes = _counts(ledger, chains=True), _counts(ledger, chains=False)
    found = [*_cut(run, ledger, chains), *_statuses(chains, _total(chains), "chains")]
    found += _statuses(_own(probes, chains), _total(probes), "rows of probes")
    return [*found, *map(Ending, (*_few_chains(plain(estimates)), *_few_right(plain(estimates))))]


_ByCell = dict[tuple[str, str], Counter[str]]
"""(model, task) -> rows by status."""


def _counts(ledger: Ledger, chains: bool) -> _ByCell:
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for shard, log in ledger.logs.items():
        for piece in log.pieces:
            if (piece.probe is None) == chains:
                found[shard.model, shard.task].update(log.statuses(piece))
    return dict(found)


def _total(cells: _ByCell) -> int:
    return sum(counts.total() for counts in cells.values())


def _own(probes: _ByCell, chains: _ByCell) -> _ByCell:
    """Leave out the statuses that a probe's rows have because their chain has them."""
    found = {}
    for cell, counts in probes.items():
        bad = {status for status, n in chains.get(cell, Counter()).items() if n}
        found[cell] = Counter({status: n for status, n in counts.items() if status == Status.OK or status not in bad})
    return found


def _statuses(cells: _ByCell, total: int, what: str) -> Iterator[Ending]:
    for status, advice in ADVICE.items():
        if count := sum(counts[status] for counts in cells.values()):
            found, (short, setting) = f"{count:,} of {total:,} {what}", SETTINGS.get(status, ("", ""))
            text = f"{found} {advice}{_worst(cells, status)}."
            yield Ending(text, f"{found} {short}" if short else "", setting, count / total)


def _worst(cells: _ByCell, status: Status) -> str:
    """Name the model and task with the most, if there are several."""
    if len(cells) < 2:
        return ""
    (model, task), counts = max(cells.items(), key=lambda one: (one[1][status], one[0]))
    return f" (most: {model} on {task}, {counts[status]:,})"


def _cut(run: RunRecord, ledger: Ledger, chains: _ByCell) -> Iterator[Ending]:
    """Say what the limit of tokens cut, and which limit to set."""
    limit, total = run.max_tokens, _total(chains)
    again = "and run again; only those are computed again"
    count = sum(counts[Status.TRUNCATED] for counts in chains.values())
    if count:
        at = f"at {limit} tokens: set sampling.max_tokens to {proposed(limit)} {again}" if limit else "by the limit"
        yield _of_limit(f"{count:,} of {total:,} chains", at, _worst(chains, Status.TRUNCATED), limit, count / total)
    forced, items = _forced(ledger)
    if forced and limit:
        short = f"{forced:,} of {items:,} items have a chain that was cut at {limit} tokens and made to answer"
        text = f"{short}: set sampling.max_tokens to {proposed(limit)} {again}."
        yield Ending(text, short, f"sampling.max_tokens={proposed(limit)}", forced / items)


def _of_limit(found: str, at: str, worst: str, limit: int | None, share: float) -> Ending:
    """Return what is said of chains without an answer that the limit cut."""
    short, setting = SETTINGS[Status.TRUNCATED]
    if limit:
        short, setting = f"were cut at {limit} tokens", f"{setting}={proposed(limit)}"
    return Ending(f"{found} were cut {at}{worst}.", f"{found} {short}", setting, share)


def _forced(ledger: Ledger) -> tuple[int, int]:
    """Return how many items have a cut chain and none that is truncated, and how many there are."""
    cut = items = 0
    for log in ledger.logs.values():
        for piece in log.pieces:
            if piece.probe is None:
                held = log.live[piece].values()
                items += len(held)
                cut += sum(one.is_cut(piece) and Status.TRUNCATED not in one.statuses(piece) for one in held)
    return cut, items


def proposed(limit: int) -> int:
    """Return the next limit to try: the first power of two that is at least twice as long."""
    return 1 << (2 * limit - 1).bit_length()


def _few_chains(estimates: Iterable[Estimate]) -> Iterator[str]:
    """Name what rests on less than half of its chains, the worst first."""
    found = [row for row in estimates if _is_accuracy(row) and row.n_ok < FEW_CHAINS * row.n_total]
    found.sort(key=lambda row: (row.n_ok / row.n_total, row.series, row.task))
    if found:
        named = _named([f"{row.series} on {row.task} ({row.n_ok:,} of {row.n_total:,} chains)" for row in found])
        yield f"Few chains are usable, and those may not be typical: {named}. See to the others first."


def _few_right(estimates: Iterable[Estimate]) -> Iterator[str]:
    """Name where hardly any answer is right."""
    found = [row for row in estimates if _is_accuracy(row) and row.value is not None and row.value <= FEW_ARE_RIGHT]
    if found:
        named = _named([f"{row.series} on {row.task} ({row.value:.0%})" for row in found])
        yield (
            f"Hardly any answer is right: {named}. Check that answers are read as meant ('cotfaith show RUN ITEM'). If "
            "the questions have choices, map them (tasks[].fields: choices), so that the model sees them."
        )


def _is_accuracy(row: Estimate) -> bool:
    return (row.metric, row.method, row.position) == ("accuracy_cot", None, None)


def _named(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
