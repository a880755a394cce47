"""Tasks: a ``TaskSpec`` comes in, a list of checked ``Item`` goes out.

    TaskSpec -> generator ─────────────> items -> check_items -> first n
    TaskSpec -> file -> records -> adapter ┘

Knows nothing about models, prompts or probes. A question's text never contains its choices: templates render them.
"""

from cotfaith.workers.tasks.check import check_items
from cotfaith.workers.tasks.fingerprint import fingerprint
from cotfaith.workers.tasks.load import load_task

__all__ = ["check_items", "fingerprint", "load_task"]
