"""Data and a template to a tagged PDF (ISO 14289-1, PDF/UA-1), set by Typst: no system library, no browser.

Typst refuses to write a PDF/UA-1 file that lacks what the standard asks of a file (title, language, tags, text for
pictures), so that every PDF made here has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal

from workbench.reports.errors import ReportFailed

Paper = Literal["a4", "us-letter"]

STANDARD: Literal["ua-1"] = "ua-1"

_LAST_RESORT = "Last Resort High-Efficiency"
"""Has a box for every character: nothing is lost without notice, and nothing that is missing stops a report."""

_FIRST = ("Noto Sans", "DejaVu Sans")
_UNWANTED = re.compile(r"mono|serif|math|emoji|symbol|^cm[a-z]+\d+$|^STIX|^Last Resort|Display$", re.IGNORECASE)

# what no PDF/UA text may hold: controls but for the line break, halves of surrogate pairs, noncharacters, the BOM,
# and characters for private use, which no font agrees on
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "\U000f0000-\U0010fffd]"
)


def make_pdf(template: str, data: Mapping[str, Any], *, made_at: datetime, paper: Paper = "a4") -> bytes:
    """Sets a document.

    Args:
        template: Name of a file of `workbench/reports/templates`, without its ending.
        data: What the template shows; strings, numbers, lists and dictionaries.
        made_at: The date the file bears; the same data and date give the same bytes.
        paper: Its format.

    Raises:
        ReportFailed: The document could not be set, or the library that sets it is missing.
    """
    try:
        import typst
    except ImportError as error:
        raise ReportFailed(
            f"a PDF needs the package typst ({error}); run `make install`, or ask for html, xlsx, csv or json"
        ) from None
    fonts, families = _fonts()
    whole = json.dumps({**_printable(data), "fonts": list(families), "paper": paper})
    with as_file(files("workbench.reports").joinpath("templates")) as folder:
        try:
            made = typst.compile(
                str(folder / f"{template}.typ"),
                root=str(folder),
                format="pdf",
                font_paths=fonts,
                sys_inputs={"data": whole},
                pdf_standards=STANDARD,
                timestamp=made_at.replace(microsecond=0),
            )
        except typst.TypstError as error:
            # the diagnostic may quote what was said, so only its first words are told
            raise ReportFailed(f"the PDF could not be set: {error.message[:60]}; ask for html instead") from None
    if not isinstance(made, bytes):
        raise ReportFailed("the PDF could not be set: nothing came back")
    return made


@lru_cache(maxsize=1)
def _fonts() -> tuple[Any, tuple[str, ...]]:
    """Every font there is, and the order they are asked in: ours, then this machine's, then boxes."""
    import fontpkg_noto_sans
    import matplotlib
    import typst

    ours = Path(fontpkg_noto_sans.__file__).parent / "files"
    matplotlibs = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = typst.Fonts(include_embedded_fonts=False, font_paths=[str(ours), str(matplotlibs)])
    families = fonts.families()
    others = sorted(
        (family for family in families if family not in _FIRST and not _UNWANTED.search(family)),
        key=lambda family: (not family.startswith("Noto Sans"), family),
    )
    return fonts, (*_FIRST, *others, _LAST_RESORT)


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", value)
    if isinstance(value, Mapping):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value
