"""Paired records of an experiment that others ran, turned into a run's folder."""
