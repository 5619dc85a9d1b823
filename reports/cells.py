"""Cells of CSV files that no spreadsheet takes for a formula."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cell: object) -> object:
    """Return a cell of a CSV file that no spreadsheet takes for a formula; a telephone number stays as it is.

    Parameters
    ----------
    cell : object
        Anything; only text can be taken for a formula.

    Returns
    -------
    object
        The same, or the text behind an apostrophe.

    Examples
    --------
    >>> harmless("=1+1"), harmless("+46701740605"), harmless(-5)
    ("'=1+1", '+46701740605', -5)
    """
    if not isinstance(cell, str) or not cell.startswith(_FORMULA):
        return cell
    return cell if cell[1:].isdecimal() and cell[0] == "+" else f"'{cell}"
