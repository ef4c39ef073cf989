"""Tables as files of a folder: Parquet or CSV, written and read back without loss."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from workbench.transcripts.columns import KIND, MOMENT, OPTIONAL_COUNT, TABLES, TEXT, Table
from workbench.transcripts.dictionary import dictionary
from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.frames import Transcripts
from workbench.transcripts.from_export import recording_beside
from workbench.transcripts.schema import check, coerced, empty, table_named

ARROW = {
    TEXT: pa.string(),
    KIND: pa.dictionary(pa.int32(), pa.string()),
    MOMENT: pa.timestamp("us", tz="UTC"),
    OPTIONAL_COUNT: pa.int64(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}
"""Arrow's type for each type of `columns.py`."""

DICTIONARY_FILE = "dictionary.md"
SUFFIXES = (".parquet", ".csv")


def to_parquet(transcripts: Transcripts, folder: Path | str) -> Path:
    """Writes every table as `NAME.parquet` with the dictionary beside them; returns the folder.

    Nothing is lost: `load(folder)` gives equal frames. Column meanings and units travel in the files' metadata.
    """
    target = _made(folder)
    for name, table in TABLES.items():
        parquet.write_table(_arrow(transcripts.table(name), table), target / f"{name}.parquet", compression="zstd")
    (target / DICTIONARY_FILE).write_text(dictionary(), encoding="utf-8")
    return target


def to_csv(transcripts: Transcripts, folder: Path | str) -> Path:
    """Writes every table as `NAME.csv` (UTF-8, RFC 4180) with the dictionary beside them; returns the folder.

    Nothing is lost: `load(folder)` gives equal frames. Text is always quoted, so that a missing text (nothing between
    the commas) and an empty one (two quotes) stay apart; numbers have all their digits, moments are ISO 8601 in UTC.
    Text is verbatim: a spreadsheet may take what begins with = for a formula, `viva sessions export --format xlsx`
    writes workbooks that hold none.
    """
    target = _made(folder)
    options = arrow_csv.WriteOptions(quoting_style="needed")
    for name, table in TABLES.items():
        plain = _arrow(transcripts.table(name), table)
        for place, column in enumerate(table.columns):
            if column.dtype == KIND:
                plain = plain.set_column(place, column.name, plain.column(place).cast(pa.string()))
        arrow_csv.write_csv(plain, target / f"{name}.csv", options)
    (target / DICTIONARY_FILE).write_text(dictionary(), encoding="utf-8")
    return target


def has_tables(folder: Path) -> bool:
    """Whether a folder holds tables that were written here."""
    return any((folder / f"sessions{suffix}").is_file() for suffix in SUFFIXES)


def read_folder(folder: Path) -> Transcripts:
    """The tables of a folder; one whose file is absent is empty.

    Raises:
        TranscriptError: The folder holds no table `sessions`, or, when a table is asked for, a damaged file.
    """
    if not has_tables(folder):
        raise TranscriptError(f"{folder} holds neither sessions.parquet nor sessions.csv")

    def read(name: str) -> pd.DataFrame:
        for suffix in SUFFIXES:
            path = folder / f"{name}{suffix}"
            if path.is_file():
                return check(coerced(_read_file(path, name), name), name)
        return empty(name)

    def recording(session_id: str) -> Path | None:
        return recording_beside(folder, session_id)

    return Transcripts(read, about=f"the folder {folder}", recording=recording)


def _read_file(path: Path, name: str) -> pd.DataFrame:
    table = table_named(name)
    try:
        found = parquet.read_table(path) if path.suffix == ".parquet" else _read_csv(path, table)
    except (pa.ArrowException, OSError) as error:
        raise TranscriptError(f"{path} cannot be read as a table {name}: {str(error).splitlines()[0]}") from None
    return _frame(found, table)


def _read_csv(path: Path, table: Table) -> pa.Table:
    types = {c.name: pa.string() if c.dtype == KIND else ARROW[c.dtype] for c in table.columns}
    return arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=types,
            null_values=["", "NA"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["true", "TRUE", "True"],
            false_values=["false", "FALSE", "False"],
        ),
    )


def _arrow(frame: pd.DataFrame, table: Table) -> pa.Table:
    fields = [
        pa.field(c.name, ARROW[c.dtype], nullable=c.optional, metadata={"description": c.meaning, "unit": c.unit})
        for c in table.columns
    ]
    columns = [_array(frame[c.name], c.dtype) for c in table.columns]
    return pa.table(columns, schema=pa.schema(fields, metadata={"description": table.about, "table": table.name}))


def _array(values: pd.Series, dtype: str) -> pa.Array:
    if dtype == MOMENT:
        # Arrow takes a moment by an attribute pandas is about to change
        return pa.array(values.dt.tz_convert(None).to_numpy()).cast(pa.timestamp("us")).cast(ARROW[dtype])
    return pa.array(values, type=ARROW[dtype], from_pandas=True)


def _frame(found: pa.Table, table: Table) -> pd.DataFrame:
    types = {column.name: column.dtype for column in table.columns}

    def column(name: str) -> pd.Series:
        if types.get(name) == OPTIONAL_COUNT:
            return pd.Series(found[name].to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get))
        if types.get(name) == TEXT:
            return pd.Series(found[name].to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get))
        return found[name].to_pandas()

    return pd.DataFrame({name: column(name) for name in found.column_names})


def _made(folder: Path | str) -> Path:
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise TranscriptError(f"{target} is a file; tables are written to a folder, give the name of one")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    return target
