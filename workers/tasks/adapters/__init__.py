"""Adapters from a file's records to items: one function for each published format, and ``mapped`` for any other.

An adapter gets all records of its file, in order, and returns items in the same order. An id is the record's own, or
the task's name and the record's index, so later shuffling or cutting does not change it.
"""

from collections.abc import Callable
from pathlib import Path

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.adapters.aqua import aqua
from cotfaith.workers.tasks.adapters.bbh import bbh
from cotfaith.workers.tasks.adapters.gsm8k import gsm8k
from cotfaith.workers.tasks.adapters.labelled_chains import chains, labelled_chains
from cotfaith.workers.tasks.adapters.llm_adapters import llm_adapters
from cotfaith.workers.tasks.adapters.strategyqa import strategyqa
from cotfaith.workers.tasks.mapped import mapped
from cotfaith.workers.tasks.values import Record

Adapter = Callable[[TaskSpec, Path, list[Record]], list[Item]]

ADAPTERS: dict[str, Adapter] = {
    "mapped": mapped,
    "bbh": bbh,
    "gsm8k": gsm8k,
    "aqua": aqua,
    "strategyqa": strategyqa,
    "llm_adapters": llm_adapters,
    "chains": chains,
    "labelled_chains": labelled_chains,
}
