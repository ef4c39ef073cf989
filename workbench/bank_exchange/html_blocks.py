"""HTML or plain text of other programs as blocks of text: what is a paragraph, what an item of a list, how deep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

_BLOCKS = frozenset("p div br h1 h2 h3 h4 h5 h6 tr table ul ol li dl dt dd blockquote pre section article".split())
_SILENT = frozenset("script style head title".split())
_BULLET = re.compile(r"^(?P<indent>\s*)(?:[-*\u2022\u2013]|\d{1,2}[.)])\s+(?P<text>.+)$")


@dataclass(frozen=True)
class Block:
    """A piece of text.

    Attributes:
        text: Without markup, white space as single spaces.
        depth: How many lists it is inside of.
        begins: Whether it begins an item of a list.
    """

    text: str
    depth: int = 0
    begins: bool = False


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.dropped: list[str] = []
        self._text: list[str] = []
        self._depth = 0
        self._begins = False
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        if tag in ("img", "audio", "video", "object", "iframe", "svg", "math"):
            named = dict(attrs)
            self.dropped.append(f"{tag} {named.get('alt') or named.get('src') or named.get('data') or ''}".strip()[:80])
        if tag in _BLOCKS:
            self.flush()
        if tag in ("ul", "ol"):
            self._depth += 1
        elif tag == "li":
            self._begins = True

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if tag in _BLOCKS:
            self.flush()
        if tag in ("ul", "ol"):
            self._depth = max(0, self._depth - 1)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._text.append(data)

    def flush(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if text:
            self.blocks.append(Block(text, self._depth, self._begins and self._depth > 0))
            self._begins = False


def html_blocks(html: str) -> tuple[list[Block], list[str]]:
    """Blocks of an HTML text in order, and what of it is no text (pictures, sound), by name."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.flush()
    return reader.blocks, reader.dropped


def plain_blocks(text: str) -> list[Block]:
    """Blocks of plain text or Markdown: lines that begin with a dash, a star or a number are items."""
    blocks = []
    for line in text.splitlines():
        bullet = _BULLET.match(line.expandtabs(4))
        if bullet:
            blocks.append(Block(" ".join(bullet["text"].split()), 2 if len(bullet["indent"]) >= 2 else 1, True))
        elif line.strip():
            deep = 2 if blocks and blocks[-1].depth and line[:1].isspace() else 0
            blocks.append(Block(" ".join(line.split()), deep, False))
    return blocks


def joined(blocks: list[Block]) -> str:
    """All the text in one line."""
    return " ".join(block.text for block in blocks)
