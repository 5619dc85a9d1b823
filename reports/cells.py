"""Cells of CSV files that no spreadsheet takes for a formula."""

import re

# Spreadsheets for Chinese and Japanese read the wide signs, here the last four, as the narrow ones.
_SIGN = "[-=+@\uff0d\uff1d\uff0b\uff20]"
_NUMBER = r"[+-][0-9]+(?:[ \u00a0\u202f.,][0-9]+)*(?:e[+-]?[0-9]+)?"
"""A telephone number or a figure with its sign: nothing in it can be reckoned with or called."""
_ACTS = re.compile(rf"[\t\r\n]|\s*{_SIGN}")
# Where lists are separated by semicolons, as in most of Europe, a spreadsheet splits a file with commas
# there, and takes no notice of quotes within a cell: what follows stands at the beginning of one.
_AFTER = r"([;\t\r\n](?:[^\S\t\r\n]|\")*)"
_WITHIN = re.compile(rf"{_AFTER}(?!{_NUMBER}\s*(?:[;\t\r\n]|$))(?={_SIGN})")
_SAVED = re.compile(rf"{_AFTER}'(?={_SIGN})")


def harmless(cell: object) -> object:
    """Return a cell of a CSV file that no spreadsheet takes for a formula; a number stays as it is.

    Parameters
    ----------
    cell : object
        Anything; only text can be taken for a formula.

    Returns
    -------
    object
        The same, or the text with an apostrophe before what would be reckoned with. Numbers with a sign are
        the same: telephone numbers, also with blanks in them, and figures such as ``-0.5``.

    Examples
    --------
    >>> harmless("=1+1"), harmless("+46701740605"), harmless("-0.5"), harmless("-1-2")
    ("'=1+1", '+46701740605', '-0.5', "'-1-2")
    >>> harmless("Borealis;=1+1"), harmless("ring; +46701740605")
    ("Borealis;'=1+1", 'ring; +46701740605')
    """
    if not isinstance(cell, str) or re.fullmatch(_NUMBER, cell):
        return cell
    return ("'" if _ACTS.match(cell) else "") + _WITHIN.sub(r"\1'", cell)


def meant(cell: str) -> str:
    """Return what a cell said before it was made harmless.

    Parameters
    ----------
    cell : str
        A cell of a file of ours that comes back.

    Returns
    -------
    str
        The text without the apostrophe that keeps it from being a formula.

    Examples
    --------
    >>> meant("'=1+1"), meant("'t Hart"), meant("Borealis;'=1+1")
    ('=1+1', "'t Hart", 'Borealis;=1+1')
    """
    typed = _SAVED.sub(r"\1", cell)
    for one in (typed.removeprefix("'"), typed):
        if harmless(one) == cell:
            return one
    return cell
