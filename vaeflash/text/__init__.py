"""The text of cards as other forms: Markdown to HTML, formulas to characters, clozes to gaps.

Pure functions of strings, without a course or a file. Imported by figures, exports, `lint` and the
terminal.
"""
