"""Learning: the questions of a course, when each is due, a session, and the store of reviews.

Imported by the command line and, for what it exports of the schedule, by `export`; knows nothing
of runs or verdicts.
"""
