"""Question banks to and from files of other programs: reading, a preview, saving and export; no socket and no page.

`preview` and `preview_bytes` read a file without saving anything, `save` writes what was previewed, `export_bank`
writes a bank in another format, and `template` makes a file to start from.
"""

from workbench.bank_exchange.export import Export, export_bank
from workbench.bank_exchange.preview import Preview, preview, preview_bytes
from workbench.bank_exchange.saving import SaveError, save
from workbench.bank_exchange.source import FORMATS, Format
from workbench.bank_exchange.templates import template

__all__ = [
    "FORMATS", "Export", "Format", "Preview", "SaveError", "export_bank", "preview", "preview_bytes", "save",
    "template",
]  # fmt: skip
