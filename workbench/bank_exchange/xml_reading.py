"""XML of strangers: no entities, no outside references, a limit of depth; every element knows its line."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from workbench.bank_exchange.source import refused

MAX_DEPTH = 200
LINE = "{viva}line"
"""Attribute that holds the line of an element."""


class _TooDeep(ValueError):
    pass


class _Parser(DefusedXMLParser):
    def __init__(self) -> None:
        super().__init__(target=TreeBuilder(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
        self._open = 0

    def _start(self, tag: str, attr_list: list[str]) -> Any:
        self._open += 1
        if self._open > MAX_DEPTH:
            raise _TooDeep(f"elements are nested more than {MAX_DEPTH} deep")
        element = super()._start(_local(tag), attr_list)  # type: ignore[misc]
        element.set(LINE, str(self.parser.CurrentLineNumber))
        return element

    def _end(self, tag: str) -> Any:
        self._open -= 1
        return super()._end(_local(tag))  # type: ignore[misc]


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def read_xml(name: str, data: bytes) -> Any:
    """The root element; tags and attributes without their namespaces.

    Raises:
        BankError: It is no well-formed XML, declares a document type or entities, or is nested too deeply.
    """
    parser = _Parser()
    try:
        parser.feed(data)
        return parser.close()
    except ParseError as error:
        raise refused(name, f"is no well-formed XML: {error}", "xml", error.position[0]) from error
    except DefusedXmlException as error:
        line = parser.parser.CurrentLineNumber
        message = "declares a document type or entities, which are not read; remove the <!DOCTYPE ...>"
        raise refused(name, message, "xml", line) from error
    except (_TooDeep, LookupError, ValueError, UnicodeError) as error:
        raise refused(name, f"cannot be read as XML: {error}", "xml") from error


def line_of(element: Any) -> int:
    """1-based line of an element."""
    return int(element.get(LINE, "1"))


def text_of(element: Any) -> str:
    """Its own text and that of everything below; empty for None."""
    return "" if element is None else "".join(element.itertext()).strip()


def markup_of(element: Any) -> str:
    """What is inside an element, as HTML."""
    from xml.etree.ElementTree import tostring

    if element is None:
        return ""
    for part in element.iter():
        part.attrib.pop(LINE, None)
    return "".join((element.text or "", *(tostring(child, encoding="unicode", method="html") for child in element)))
