"""Running a plan: jobs, engine actors, shard tasks, retries, progress."""
