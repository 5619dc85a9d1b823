"""Sheets to print: a tracking number large, its QR code, and what to check before the material goes out."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

import qrcode
import qrcode.image.svg

from reports import extras, fonts
from reports.logo import Logo, for_typst


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page: a number and what it stands on.

    Parameters
    ----------
    number : str
        The number as people dial it from abroad, such as "+46 70 174 06 05".
    national : str
        The same as people dial it at home.
    call : str
        What the first QR code holds, a ``tel:`` address.
    link : str
        What the second QR code holds, an ``https:`` address.
    title, subtitle : str
        The ad material and its campaign.
    steps : sequence of str
        What to check, in the reader's language.
    captions : tuple of str
        What stands under the two QR codes, and above the steps.
    """

    number: str
    national: str
    call: str
    link: str
    title: str
    subtitle: str
    steps: Sequence[str]
    captions: tuple[str, str, str]


def pdf(sheets: Sequence[Sheet], supplier: str = "", logo: Logo | None = None) -> bytes:
    """Return one A4 page a sheet, as PDF.

    What users typed goes to Typst as data and never as markup, so nothing in a name can act.

    Parameters
    ----------
    sheets : sequence of Sheet
        The pages, in order.
    supplier : str
        Whose numbers they are, at the head of each page.
    logo : Logo, optional
        The supplier's logo.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ValueError
        If there is no sheet.
    reports.extras.DocumentsMissing
        If the extra ``documents`` is not installed.
    """
    if not sheets:
        raise ValueError("there is nothing to print; give at least one sheet")
    pages = [asdict(sheet) | {"qr": [qr(sheet.call), qr(sheet.link)]} for sheet in sheets]
    source = files("reports").joinpath("sheets.typ").read_bytes()
    told = {"sheets": json.dumps(pages), "fonts": json.dumps(fonts.FAMILIES)}
    told["supplier"] = for_typst(supplier, logo)
    made = extras.load("typst").compile(source, sys_inputs=told, font_paths=fonts.for_documents())
    assert isinstance(made, bytes)
    return made


def qr(text: str) -> str:
    """Return a QR code as SVG, with the quiet zone that readers need (ISO/IEC 18004: four modules)."""
    code = qrcode.make(
        text,
        error_correction=qrcode.ERROR_CORRECT_M,
        border=4,
        image_factory=qrcode.image.svg.SvgPathImage,
    )
    drawn: str = code.to_string(encoding="unicode")
    return drawn
