"""Files and folders that are elsewhere: in object storage (``s3://``) or in a dataset of the hub (``hf://``).

In: a text of the spec. Out: a path on this machine. Knows nothing about what the files contain.
"""
