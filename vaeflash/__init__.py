"""Flashcards on autoencoders that prove themselves."""

__version__ = "0.1.0"
