"""Libraries that only documents and pictures need; the extra ``documents`` installs them."""

from importlib import import_module
from typing import Any

COMMAND = "pip install 'ringtrail[documents]'"
"""What installs them."""


class DocumentsMissing(ImportError):
    """A document or picture was asked for, and the extra ``documents`` is not installed."""


def has(library: str) -> bool:
    """Tell whether a library of the extra ``documents`` is installed.

    Parameters
    ----------
    library : str
        The name under which it is imported, such as ``"typst"``.

    Returns
    -------
    bool
        False where :func:`load` would raise.
    """
    try:
        load(library)
    except DocumentsMissing:
        return False
    return True


def load(library: str) -> Any:
    """Return a library of the extra ``documents``, loaded when the first document needs it.

    Parameters
    ----------
    library : str
        The name under which it is imported, such as ``"typst"``.

    Returns
    -------
    module
        The library.

    Raises
    ------
    DocumentsMissing
        If it is not installed; the message names the command that installs it.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        message = f"PDF files and chart images need `{COMMAND}`, or `make documents` in the source folder"
        raise DocumentsMissing(message, name=library) from None
