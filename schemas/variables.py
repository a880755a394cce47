"""The environment variables that are the product's own -> what each stands for.

In: nothing. Out: their names, and a sentence on each for ``--help``. Knows nothing about who reads them. None holds a
secret: what they hold is written to the run's record, or shown.
"""

PREFIX = "COTFAITH_"
OUTPUT = "COTFAITH_OUTPUT"
RAY_ADDRESS = "COTFAITH_RAY_ADDRESS"
CACHE = "COTFAITH_CACHE"
MAX_FILE = "COTFAITH_MAX_FILE_GIB"
MAX_RECORD = "COTFAITH_MAX_RECORD_MIB"

MEANINGS = {
    OUTPUT: "stands for the spec's output.path",
    RAY_ADDRESS: "stands for the spec's resources.ray_address",
    CACHE: "is the folder of what is downloaded to this machine; default: ~/.cache/cotfaith",
    MAX_FILE: "is how many GiB a file of records may have, also unpacked; default: 2",
    MAX_RECORD: "is how many Mi characters a record or a line may have; default: 16",
}
"""Each variable -> what it does, as the end of a sentence that begins with its name."""

ORDER = "--set counts before a variable, and a variable before the spec. An empty one counts as not set."


def told(*names: str) -> str:
    """Return what ``names`` do, for the end of a command's help; with the order, if one stands for a key."""
    lines = [f"{name} {MEANINGS[name]}." for name in names]
    return " ".join(["Environment:", *lines, *([ORDER] if {OUTPUT, RAY_ADDRESS} & set(names) else [])])
