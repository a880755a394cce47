"""What the command line calls the stages of a run's work."""

from cotfaith.workers.engines.protocol import CHAINS, PROBES, READINGS

LOADING = "loading"
PHASES = {LOADING: "loading", CHAINS: "sampling", PROBES: "probing", READINGS: "reading"}
