"""The vLLM engine, for GPU fleets; an optional extra."""
