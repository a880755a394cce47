"""Populations by hand, and a small run whose chains can be labelled."""

from hashlib import sha256

from cotfaith.cluster.labelling.population import Place, Population, Stratum, TextUnit, UnitKey

HINT = "hint_metadata"
SPEC = {
    "models": [
        {"id": name, "engine": "stub", "options": {"max_steps": 3, "follows_hints": 0.6, "names_hints": 0.5}}
        for name in ("a", "b")
    ],
    "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 6}],
    "interventions": ["hint_metadata", "hint_sycophancy"],
    "sampling": {"chains_per_item": 1},
    "probes": ["verbalises"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}


def key(name, hint=HINT):
    """Return the key of the text ``name``."""
    return UnitKey(sha256(name.encode()).hexdigest(), hint)


def stratum(model="m", variant=f"{HINT}.wrong", switched=True):
    return Stratum(model, "t", "cot", variant, "", switched)


def population(**texts):
    """Return texts by name, each with its strata, and no readings."""
    units = {}
    for name, strata in texts.items():
        own = strata if isinstance(strata, (set, list)) else {strata}
        place = Place(min(own).model, "t", "cot", min(own).variant, name, 0)
        units[key(name)] = TextUnit(key(name), place, set(own))
    return Population(units, {}, {})


def many(n, **about):
    """Return ``n`` texts of one stratum."""
    return population(**{f"text {i}": stratum(**about) for i in range(n)})


def differing(found, question, names):
    """Let two readers differ on these texts, and agree on all others."""
    for unit in found.units:
        labels = {True, False} if unit in {key(name) for name in names} else {True}
        found.answers[unit, question] = labels
    found.readers[question] = {"rules", "judge"}
    return found
