"""Claims against runs: which to judge, on which seeds, with what verdict, and the ledger of those.

`check` is the way in, `judge` decides, `ledger` keeps, `staleness` says what is still current.
Imported by exports and the command line, which show verdicts; it shows nothing itself.
"""
