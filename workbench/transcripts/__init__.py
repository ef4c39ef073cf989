"""The researcher's tables: vivas read from the store, an export or a folder, and written for other programs."""

from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.needs import require

require("pandas", "pyarrow", "pandera")

from workbench.transcripts.convokit_format import read_convokit, to_convokit  # noqa: E402
from workbench.transcripts.dictionary import dictionary  # noqa: E402
from workbench.transcripts.eaf import read_eaf, to_eaf  # noqa: E402
from workbench.transcripts.folder import to_csv, to_parquet  # noqa: E402
from workbench.transcripts.formats import FORMATS, write  # noqa: E402
from workbench.transcripts.frames import Transcripts  # noqa: E402
from workbench.transcripts.loading import load  # noqa: E402
from workbench.transcripts.redaction import redact, with_new_pseudonyms  # noqa: E402
from workbench.transcripts.summaries import summary  # noqa: E402
from workbench.transcripts.textgrid import read_textgrid, to_textgrid  # noqa: E402
from workbench.transcripts.webvtt_format import read_webvtt, to_webvtt  # noqa: E402

__all__ = [
    "FORMATS",
    "TranscriptError",
    "Transcripts",
    "dictionary",
    "load",
    "read_convokit",
    "read_eaf",
    "read_textgrid",
    "read_webvtt",
    "redact",
    "summary",
    "to_convokit",
    "to_csv",
    "to_eaf",
    "to_parquet",
    "to_textgrid",
    "to_webvtt",
    "with_new_pseudonyms",
    "write",
]
