"""``cotfaith import``: chains from elsewhere -> one checked JSON lines file that a spec can name (adapter ``chains``).

With ``--paired``, records of an experiment -> a run's folder (``import_paired.py``).

Texts of the sources are untrusted: they are escaped when shown. A chain that cannot be used is left out and counted by
its reason. If no chain is left, nothing is written.
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich.console import Console

from cotfaith.cluster.cli.import_paired import Asked, import_paired
from cotfaith.cluster.imports.columns import ENDS, LABELS, OURS, check_columns, columns_text, our_columns
from cotfaith.cluster.imports.recorded import Imported, letters_without_choices
from cotfaith.cluster.imports.sources import source_files
from cotfaith.cluster.imports.spec_lines import spec_lines
from cotfaith.cluster.imports.target import Target
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import CHANNELS, Channel
from cotfaith.schemas.spec import GoldIs
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.tasks.adapters.labelled_chains import check_open_golds
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.inspect_log import is_inspect_log, read_inspect_log
from cotfaith.workers.tasks.values import Record, columns_of

out = Console(highlight=False)


def import_chains(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="JSON, JSON lines, CSV, TSV, Parquet (or .gz), Inspect logs (.eval): files, folders, patterns in "
            "quotes, s3:// or hf://.",
        ),
    ],
    out_file: Annotated[
        str,
        typer.Option(
            "--out", help="The file to write (.jsonl), or with --paired the run's folder: a path, or s3://bucket/key."
        ),
    ],
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="OURS=THEIRS", help="A column's name in the sources: --field cot=reasoning"),
    ] = None,
    answer_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="number, boolean or text, for golds without choices; default: from each gold."
        ),
    ] = None,
    gold_is: Annotated[
        str,
        typer.Option(metavar="WHAT", help="What golds with choices are: label, text, index (from 0), index_from_1."),
    ] = "auto",
    channel: Annotated[
        str | None,
        typer.Option(
            metavar="CHANNEL",
            help="The only channel to take: reasoning, body or summary. Default: a log's reasoning, or else its reply.",
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over an existing file.")] = False,
    paired: Annotated[
        bool, typer.Option("--paired", help="Records of an experiment: answers under variants -> a run's folder.")
    ] = False,
    mapping: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --paired: which columns hold what (YAML).")
    ] = None,
    constants: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OURS=VALUE", help="With --paired: what holds for all: --set with_chain=true"),
    ] = None,
    judges: Annotated[
        list[str] | None,
        typer.Option(
            "--judge", metavar="NAME:QUESTION=COLUMN", help="With --paired: labels; present, relied or checked."
        ),
    ] = None,
    humans: Annotated[
        list[str] | None,
        typer.Option("--human", metavar="NAME:QUESTION=COLUMN", help="With --paired: labels that a person gave."),
    ] = None,
) -> None:
    """Import chains of thought that another tool recorded, so that a run can probe them.

    With --paired, import the answers of an experiment that others ran, for aggregate and report.
    """
    if paired:
        if channel is not None:
            raise SpecError("--channel is for chains. With --paired, map the column channel.")
        if replace:
            raise SpecError("--replace is for files. With --paired, name a folder without a run.")
        asked = Asked(mapping, fields or [], constants or [], judges or [], humans or [], answer_format, gold_is)
        import_paired(sources, out_file, asked)
        return
    if mapping or constants or judges or humans:
        raise SpecError("--mapping, --set, --judge and --human are for --paired. Add it, or leave them out.")
    target = Target(out_file, replace)
    _check_word("--answer-format", answer_format, ("number", "boolean", "text"))
    _check_word("--gold-is", gold_is, get_args(GoldIs))
    _check_word("--channel", channel, CHANNELS)
    renamed = _fields(fields or [])
    found = Imported(answer_format, gold_is, channel)
    paths, found.notes = source_files(sources, target.text)
    for path in paths:
        _take(path, renamed, found)
    if not found.taken:
        parts = ["No chain can be used. " + found.left_out_text(), *found.columns_text(), *found.remarks_text()]
        raise TaskError("\n".join(parts))
    records = found.records()
    target.write("".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records))
    _show(found, records, target)


def _check_word(option: str, word: str | None, known: Iterable[str]) -> None:
    if word is not None and word not in known:
        raise SpecError(f"{option} {word!r}: {unknown('value', word, list(known))}")


def _fields(given: Iterable[str]) -> dict[str, str]:
    """Return ours -> theirs."""
    found: dict[str, str] = {}
    for text in given:
        ours, separator, theirs = text.partition("=")
        if not separator or not theirs:
            raise SpecError(f"--field {text!r}: expected ours=theirs, for example cot=reasoning.")
        if ours not in (*OURS, *LABELS):
            raise SpecError(f"--field {text!r}: {unknown('field', ours, (*OURS, *LABELS))}")
        if ours in found:
            raise SpecError(f"--field {text!r}: {ours} is mapped twice; it was {found[ours]!r} before.")
        found[ours] = theirs
    return found


def _take(source: Path, fields: dict[str, str], found: Imported) -> None:
    if not is_inspect_log(source):
        _take_table(source, fields, found)
        return
    if fields:
        raise SpecError(f"{source}: --field is for tables; an Inspect log names its own fields.")
    log = read_inspect_log(source, cast("Channel | None", found.channel))
    found.notes += log.notes
    found.add(source, log.records if found.answer_format else letters_without_choices(log.records))


def _take_table(source: Path, fields: dict[str, str], found: Imported) -> None:
    records = read_records(source, [fields.get(name, name) for name in ("question", "gold")])
    names = columns_of(records)
    for ours, theirs in fields.items():
        several = ours == "choices" and all(part.strip() in names for part in theirs.split(","))
        if theirs not in names and not several:
            raise SpecError(f"{source}: --field {ours}={theirs}: {unknown('column', theirs, sorted(names))}")
    check_columns(source, names, fields)
    if found.answer_format is None:
        check_open_golds(source, records, fields)
    rows, notes = our_columns(source, records, fields)
    found.columns.setdefault(columns_text(names, fields, rows), []).append(source)
    found.notes += notes
    found.add(source, [_cut(record) or row for record, row in zip(records, rows, strict=True)])


def _cut(record: Record) -> str | None:
    """Return why a chain is incomplete, if its record shows that it is."""
    ends = (str(record.get(name)).lower() for name in ENDS)
    reason = next((end for end in ends if end in ("length", "max_tokens", "max_length")), None)
    return None if reason is None else f"the chain was cut: it ended by {reason!r}"


def _show(found: Imported, records: list[Record], target: Target) -> None:
    formats = Counter(one.item.answer_format for one, _, _ in found.taken)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in formats.most_common())
    answered = sum("answer" in record for record in records)
    lines = [
        *found.columns_text(),
        f"Took {len(records):,} of {len(records) + found.left_out.total():,} chains. Answers: {kinds}; "
        f"{answered:,} chains have a recorded answer.",
        *found.channels_text(),
        *([found.left_out_text()] if found.left_out else []),
        *(f"Note: {text}" for text in (*found.remarks_text(), *found.renamed_text())),
        *spec_lines(records, target.text, target.stem, found.answer_format),
    ]
    out.print(plain_text("\n".join(lines)), markup=False, soft_wrap=True)
