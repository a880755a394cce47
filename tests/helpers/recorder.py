"""A reporter for tests."""

from contextlib import contextmanager

from cotfaith.cluster.fleet.reporter import NoProgress


class Recorder(NoProgress):
    """Keeps all that it is told."""

    def __init__(self):
        self.said, self.warned, self.totals, self.shards = [], [], [], []

    def say(self, text):
        self.said.append(text)

    def warn(self, text):
        self.warned.append(text)

    @contextmanager
    def progress(self, forecast):
        self.totals.append(forecast.items)
        yield self

    def finished(self, model, report, engine):
        self.shards.append((model, report.items))
