"""``cotfaith status --watch``: the same again and again, until no driver works on the run or Ctrl-C.

In: a run's store. Out: on a terminal a picture that is repainted in place; elsewhere a block of lines each time, or
with ``--json`` a line of JSON, without control codes. The commits of a large run take long to read: they are read less
often than the driver's own status.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from cotfaith.cluster.cli.consoles import finite, out
from cotfaith.cluster.cli.status_live import live_part
from cotfaith.cluster.cli.status_read import Seen, read_committed
from cotfaith.cluster.cli.view import View
from cotfaith.cluster.fleet.alive import Watch
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.errors import StoreError
from cotfaith.schemas.run_objects import RunRecord

SHARE = 0.1
"""The most of the time that is spent on reading the commits."""

Show = Callable[[Seen, str], None]
"""Shows what is seen, and a problem; "": there is none."""


def watch_run(store: Store, record: RunRecord, shown: View, every_s: float, as_json: bool) -> Seen:
    """Show the run every ``every_s`` seconds; return what was seen last. Ctrl-C ends it as any other end.

    Raises:
        StoreError: the first look failed; later failures are shown, and the next look may succeed.

    """
    watching = _Watching(store, record, shown)
    seen = watching.look()
    with suppress(KeyboardInterrupt):
        if as_json:
            return watching.follow(seen, every_s, _print_line)
        if not out.is_terminal:
            return watching.follow(seen, every_s, _print_block)
        with Live(_picture(seen, ""), console=out, auto_refresh=False, transient=True) as live:
            return watching.follow(seen, every_s, lambda now, bad: live.update(_picture(now, bad), refresh=True))
    return watching.last or seen


class _Watching:
    """Looks, and remembers what was seen last."""

    def __init__(self, store: Store, record: RunRecord, shown: View) -> None:
        self.last: Seen | None = None
        self._store, self._record, self._shown = store, record, shown
        self._watch = Watch(store)
        self._again_s = 0.0

    def look(self) -> Seen:
        """Look once; read the commits again if that is due."""
        alive, now_s = self._watch.look(), time.monotonic()
        if self.last is None or now_s >= self._again_s or alive.verdict in ("nobody", "dead"):
            committed = read_committed(self._store, self._record, self._shown)
            ended_s = time.monotonic()
            self._again_s = ended_s + (ended_s - now_s) / SHARE
            self.last = Seen(self._record, committed, alive)
        else:
            self.last = replace(self.last, alive=alive)
        return self.last

    def follow(self, seen: Seen, every_s: float, show: Show) -> Seen:
        """Show it until no driver works on it."""
        problem = ""
        while True:
            show(seen, problem)
            if not problem and seen.alive.verdict in ("nobody", "dead"):
                return seen
            time.sleep(every_s)
            try:
                seen, problem = self.look(), ""
            except StoreError as error:
                problem = str(error)


def _picture(seen: Seen, problem: str) -> RenderableType:
    complete, record = seen.committed.complete, seen.record
    lines = [f"Run {record.run_id}, begun {record.created}", f"{complete.done:,} of {complete.total:,} shards are done"]
    bad = [Text(plain_text(f"The store failed: {problem}"), style="red")] if problem else []
    return Group(*(Text(plain_text(line)) for line in lines), live_part(seen.alive, out.width), *bad)


def _print_block(seen: Seen, problem: str) -> None:
    out.print(_picture(seen, problem))
    out.print()


def _print_line(seen: Seen, problem: str) -> None:
    print(json.dumps(finite(seen.as_data() | {"problem": problem or None}), allow_nan=False), flush=True)
