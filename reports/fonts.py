"""Fonts of documents and pictures: packages bring them, so Cyrillic and Chinese look alike everywhere."""

from functools import cache
from pathlib import Path

import fontpkg
import pylopdf_fonts_zh_cn
import typst
import vl_convert

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
    return [Path(fontpkg.path("Noto Sans")).parent, pylopdf_fonts_zh_cn.sans_path().parent]


@cache
def for_documents() -> typst.Fonts:
    """Return these fonts and no others for Typst: what a machine has installed plays no part."""
    return typst.Fonts(include_system_fonts=False, font_paths=[str(folder) for folder in folders()])


@cache
def teach_charts() -> None:
    """Let pictures of charts use these fonts; once for each process."""
    for folder in folders():
        vl_convert.register_font_directory(str(folder))
