"""A figure to touch: data in, one JavaScript file out, for a card in Anki or a page in a browser.

    Plane -> packing -> figures/DEMO/NAME.widget.json -> page -> what a card loads

A course keeps the data alone. The program that reads them, `plane.js`, is ours and is put around
them when a course is exported, so that whoever writes a course cannot put a program into a card.
"""
