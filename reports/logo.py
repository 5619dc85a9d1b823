"""The supplier's logo on what is printed and sent."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from reports import extras, fonts

_FORMATS = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture.

    Parameters
    ----------
    content : bytes
        The file, such that it can do nothing but be looked at.
    media_type : str
        One of image/png, image/jpeg and image/svg+xml.
    """

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Return what tells it from another one.

        Returns
        -------
        str
            Twelve hexadecimal digits of its SHA-256.
        """
        return hashlib.sha256(self.content).hexdigest()[:12]

    @property
    def address(self) -> str:
        """Return it as an address that needs no other file.

        Returns
        -------
        str
            A ``data:`` address.
        """
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


def for_typst(supplier: str, logo: Logo | None) -> str:
    """Return the head of a page as data for Typst.

    Parameters
    ----------
    supplier : str
        The supplier's name.
    logo : Logo, optional
        The picture beside it.

    Returns
    -------
    str
        JSON with ``name`` and ``logo``, which is null or has ``content`` and ``format``.
    """
    drawn: dict[str, Any] | None = None
    if logo is not None:
        drawn = {"content": list(logo.content), "format": _FORMATS[logo.media_type]}
    return json.dumps({"name": supplier, "logo": drawn})


def is_drawable(logo: Logo) -> bool:
    """Tell whether a logo can be printed.

    Parameters
    ----------
    logo : Logo
        The picture.

    Returns
    -------
    bool
        Whether Typst draws it; true where the extra ``documents`` is missing, as nothing is printed there.
    """
    try:
        typst = extras.load("typst")
    except extras.DocumentsMissing:
        return True
    source = (
        "#let head = json(bytes(sys.inputs.head))\n"
        "#image(bytes(head.logo.content), format: head.logo.format, width: 2cm)"
    )
    told = {"head": for_typst("", logo)}
    try:
        typst.compile(source.encode(), sys_inputs=told, font_paths=fonts.for_documents())
    except RuntimeError:
        return False
    return True
