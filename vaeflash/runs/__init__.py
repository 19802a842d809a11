"""Runs of demos: one asked for and its result, those already known, and where new ones are made.

`run` is the data, `known` the cache, `in_process`, `processes` and `dask` make runs. Imported by
judging and the command line; knows nothing of claims.
"""
