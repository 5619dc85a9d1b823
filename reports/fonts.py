"""Fonts of documents and pictures: they come along, so Cyrillic and Chinese look alike everywhere."""

from functools import cache
from pathlib import Path
from typing import Any

from reports import extras

FAMILIES = ("Noto Sans", "Noto Sans SC")
"""Latin, Greek and Cyrillic from the first, simplified Chinese from the second."""


def folders() -> list[Path]:
    """Return the folders that hold the files of :data:`FAMILIES`.

    Returns
    -------
    list of pathlib.Path
        One for each family.

    Examples
    --------
    >>> [folder.is_dir() for folder in folders()]
    [True, True]
    """
    faces = Path(__file__).parent / "typefaces"
    return [faces / "noto-sans", faces / "noto-sans-sc"]


@cache
def for_documents() -> Any:
    """Return these fonts and no others as a ``typst.Fonts``: what a machine has installed plays no part."""
    paths = [str(folder) for folder in folders()]
    return extras.load("typst").Fonts(include_system_fonts=False, font_paths=paths)


@cache
def teach_charts() -> None:
    """Let pictures of charts use these fonts; once for each process."""
    for folder in folders():
        extras.load("vl_convert").register_font_directory(str(folder))
