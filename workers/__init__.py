"""Code that runs beside the weights: engines, prefix tree, templates, answers, probes, the shard loop."""
