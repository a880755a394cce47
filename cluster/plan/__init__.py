"""From a spec to a plan: what a run will do, what it will cost, and what it may not contradict."""
