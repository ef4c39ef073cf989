"""The researcher's tables: vivas read from the store, an export or a folder, and written for other programs."""

from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.needs import require

require("pandas", "pyarrow", "pandera")

from workbench.transcripts.dictionary import dictionary  # noqa: E402
from workbench.transcripts.folder import to_csv, to_parquet  # noqa: E402
from workbench.transcripts.frames import Transcripts  # noqa: E402
from workbench.transcripts.loading import load  # noqa: E402

__all__ = ["TranscriptError", "Transcripts", "dictionary", "load", "to_csv", "to_parquet"]
