"""Engines that share one machine's cores: how much each slows down, by how its threads wait and where they run.

In: a model's folder (by default random weights of 135M parameters). Out: for each way of running one or two engines,
alone and beside a process that is always busy, the work done in a second as a share of one thread's alone; and the
cores that processes other than these used meanwhile. Every engine is a process of its own. The ways take turns, in
an order that is reversed each time, and the median counts.

    python benchmarks/node.py --seconds 3 --repeats 5
    python benchmarks/node.py --memory        # what several engines of one model hold in memory
"""
