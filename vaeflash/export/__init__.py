"""The course in other people's programs: an Anki package, and pages for a browser.

Imported by the command line alone. It reads decks, figures, evidence and reviews, and runs nothing.
"""
