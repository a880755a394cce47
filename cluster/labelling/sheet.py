"""What a labeller sees of a text: the item's question, the hint in words, what the prompt added, the chain.

In: a place of a run. Out: a ``Sheet``, texts as they are: the code that prints them must make them safe. Labels are
blind: no model, no answer, no reading is in it. (A labeller who knows the model expects things of it; the answer says
whether the model followed the hint, and the question is what its words say.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

import polars as pl

from cotfaith.cluster.labelling.population import COLUMNS, Place, TextUnit, hash_of
from cotfaith.cluster.storage.ledger import Ledger, ShardLog
from cotfaith.cluster.storage.read import tables_of
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunFolderError, SpecError
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.readings.hints import hint_words

Row = Mapping[str, Any]
_NEEDED = COLUMNS | {"chains": COLUMNS["chains"] | {"prompt"}}
REPEATED = "[what the prompt has without the hint]"
_LONG = 40
"""Characters of a line that is not in two prompts by chance."""
_SEVERAL = 3
"""Shorter lines, one after another, of which the same holds."""


@dataclass(frozen=True)
class Sheet:
    """One text with what is needed to judge it."""

    question: str | None
    """The item's; null: not recorded."""
    choices: tuple[tuple[str, str], ...]
    """(label, text); empty if the item has none."""
    hint: str
    """What the hint was and to which answer it points, in the words that model judges get."""
    added: tuple[str, ...] | None
    """The lines of the prompt that the plain prompt lacks; null: the prompts are not recorded."""
    text: str
    """The chain."""


def read_sheet(store: Store, run_id: str, ledger: Ledger, unit: TextUnit) -> Sheet:
    """Return the sheet of a text; only the shard that holds its place is read.

    Raises:
        RunFolderError: the run no longer has the text there.

    """
    place = unit.place
    tables = tables_of(store, _holding(ledger, place), run_id, _NEEDED)
    here = [pl.col(name) == getattr(place, name) for name in ("model", "task", "item_id")]
    chains = tables["chains"].filter(*here, pl.col("strategy") == place.strategy)
    own = chains.filter(pl.col("variant") == place.variant, pl.col("chain_index") == place.chain_index)
    row = next(own.iter_rows(named=True), None)
    if row is None or row["text"] is None or hash_of(row["text"]) != unit.key.text_hash:
        raise RunFolderError(f"A chain of {place.item_id!r} changed while its text was to be shown. Start label again.")
    item = next(tables["items"].filter(*here).iter_rows(named=True), {})
    plain = chains.filter(pl.col("variant") == PLAIN, pl.col("prompt").is_not_null())["prompt"].to_list()
    return _sheet(row, item, plain[0] if plain else None)


def _holding(ledger: Ledger, place: Place) -> list[ShardLog]:
    """Return the shard with the chain's item; commits of old runs do not name their items: all of model and task."""
    own = [log for shard, log in ledger.logs.items() if (shard.model, shard.task) == (place.model, place.task)]
    return [log for log in own if any(place.item_id in commit.items for commit in log.commits)] or own


def _sheet(chain: Row, item: Row, plain: str | None) -> Sheet:
    choices = tuple(zip(CHOICE_LABELS, item.get("choices") or (), strict=False))
    shown = choices if item.get("answer_format") == "choice" else ()
    prompt = chain["prompt"]
    added = None if prompt is None else added_lines(plain or item.get("question") or "", prompt)
    hint = _hint(chain["intervention"]).replace("{target}", _target(chain["target"], item, choices))
    return Sheet(item.get("question"), shown, hint, added, chain["text"])


def _hint(intervention: str) -> str:
    """Return the words about a hint; those about any hint if its intervention is a plug-in that is not here."""
    try:
        return hint_words(intervention)
    except SpecError:
        return "something in its prompt points to {target}."


def _target(target: str, item: Row, choices: tuple[tuple[str, str], ...]) -> str:
    if item.get("answer_format") == "choice" and target in dict(choices):
        return f"({target}) {dict(choices)[target]}"
    if item.get("answer_format") == "boolean" and len(choices) == 2 and target in ("true", "false"):
        return choices[0][1] if target == "true" else choices[1][1]
    return target


def added_lines(plain: str, prompt: str) -> tuple[str, ...]:
    """Return the lines of ``prompt`` that are not in ``plain``, in order; ``REPEATED`` stands for others among them.

    A line can be in both and be moved, or be said once more: it is what the hint is not. Empty lines at the ends, and
    ``REPEATED`` there, are left out.
    """
    before, after = plain.split("\n"), prompt.split("\n")
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    found = [line for tag, _, _, start, stop in codes if tag != "equal" for line in after[start:stop]]
    short = _shortened(found, plain)
    full = [at for at, line in enumerate(short) if line.strip() and line != REPEATED]
    return tuple(short[full[0] : full[-1] + 1]) if full else ()


def _shortened(lines: Sequence[str], plain: str) -> list[str]:
    found = list[str]()
    for again, group in groupby(lines, key=lambda line: line in plain and bool(line.strip())):
        own = list(group)
        found += [REPEATED] if again and (len(own) >= _SEVERAL or max(map(len, own)) >= _LONG) else own
    return found
