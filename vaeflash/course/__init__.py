"""A course on disk: its decks, demos and pictures, their ids, and whether the demos may run.

`course` opens one, `demo_source` reads a demo without running it, `fingerprint` says whether its
code changed. Imported by whatever needs a course; knows nothing of runs, verdicts or reviews.
"""
