"""One shard's work: its chains, its probes, their requests in rounds, and the rows they become."""
