"""Cells of CSV files that no spreadsheet takes for a formula."""

import re

# Spreadsheets for Chinese and Japanese read the wide signs as the narrow ones.
_FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
            "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
_BREAKS = ("\t", "\r", "\n")
_NUMBER = re.compile(r"[+-][0-9]+(?:[ \u00a0\u202f.,][0-9]+)*(?:e[+-]?[0-9]+)?")
"""A telephone number or a figure with its sign: nothing in it can be reckoned with or called."""


def harmless(cell: object) -> object:
    """Return a cell of a CSV file that no spreadsheet takes for a formula; a number stays as it is.

    Parameters
    ----------
    cell : object
        Anything; only text can be taken for a formula.

    Returns
    -------
    object
        The same, or the text behind an apostrophe. Numbers with a sign are the same: telephone numbers,
        also with blanks in them, and figures such as ``-0.5``.

    Examples
    --------
    >>> harmless("=1+1"), harmless("+46701740605"), harmless("-0.5"), harmless("-1-2")
    ("'=1+1", '+46701740605', '-0.5', "'-1-2")
    """
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    acts = cell.startswith(_BREAKS) or cell.lstrip().startswith(_FORMULA)
    return f"'{cell}" if acts else cell


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
    >>> meant("'=1+1"), meant("'t Hart")
    ('=1+1', "'t Hart")
    """
    return cell[1:] if cell.startswith("'") and harmless(cell[1:]) == cell else cell
