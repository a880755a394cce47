"""Rows become effects, and effects become estimates with intervals. Knows nothing about pages."""
