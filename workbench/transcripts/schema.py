"""The schemas of the tables: frames are brought to their types, then checked; a fault names table, column and row."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pandas as pd
import pandera.pandas as pandera
from pandera.errors import SchemaErrors

from workbench.transcripts.columns import KIND, TABLES, Column, Table
from workbench.transcripts.errors import TranscriptError

MAX_FAULTS = 5
"""Faults a message names; the rest are counted."""


def table_named(name: str) -> Table:
    """The table of this name.

    Raises:
        TranscriptError: There is none; the message lists those there are.
    """
    if name not in TABLES:
        raise TranscriptError(f"no table {name!r}; there are {', '.join(TABLES)}")
    return TABLES[name]


@lru_cache(maxsize=len(TABLES))
def schema(name: str) -> pandera.DataFrameSchema:
    """The pandera schema of a table: types, what may be missing, ranges, allowed values, the key's uniqueness."""
    table = table_named(name)
    return pandera.DataFrameSchema(
        {column.name: _checked(column) for column in table.columns},
        unique=list(table.key),
        strict=True,
        ordered=True,
        name=name,
        description=table.about,
    )


def empty(name: str) -> pd.DataFrame:
    """A table without rows, with its columns and types."""
    return pd.DataFrame({column.name: as_column([], column) for column in table_named(name).columns})


def coerced(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with the table's columns in their order and types; columns that may be missing are filled up.

    Raises:
        TranscriptError: A column is absent that may not be, or holds what its type cannot.
    """
    table = table_named(name)
    absent = [c.name for c in table.columns if c.name not in frame and not c.optional]
    if absent:
        raise TranscriptError(f"table {name}: no column {', '.join(absent)}; it has {', '.join(map(str, frame))}")
    made: dict[str, Any] = {}
    for column in table.columns:
        values = frame[column.name] if column.name in frame else [None] * len(frame)
        try:
            made[column.name] = as_column(values, column)
        except (TypeError, ValueError, OverflowError) as error:
            raise TranscriptError(f"table {name}, column {column.name}: no {column.dtype} ({error})") from None
    return pd.DataFrame(made).reset_index(drop=True)


def as_column(values: Any, column: Column) -> Any:
    """Values as an array of the column's type."""
    if len(values) == 0:
        values = []  # an Arrow column without a single chunk is one pandas cannot join on
    if column.dtype == KIND:
        categories = list(column.allowed) if column.allowed else None
        if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
            if categories is None or list(values.cat.categories) == categories:
                return values.array
            unknown = set(values.dropna().unique()) - set(categories)
        else:
            values = pd.Series(values, dtype="string[pyarrow]")
            unknown = set(values.dropna().unique()) - set(categories or values.dropna().unique())
        if unknown:
            raise ValueError(f"{sorted(unknown)[:MAX_FAULTS]} not among {', '.join(categories or ())}")
        if categories is None:
            return pd.Categorical(values, categories=sorted(values.dropna().unique()))
        return pd.Categorical(values, categories=categories)
    if column.dtype.startswith("datetime64"):
        return pd.to_datetime(pd.Series(values), utc=True, format="ISO8601").astype(column.dtype).array
    return pd.Series(values).astype(column.dtype).array


def check(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame, if it is what the table promises.

    Raises:
        TranscriptError: It is not; the message names the columns, the checks and the first rows at fault.
    """
    try:
        schema(name).validate(frame, lazy=True)
    except SchemaErrors as error:
        raise TranscriptError(f"table {name}: {_faults(error)}") from None
    return frame


def _checked(column: Column) -> pandera.Column:
    checks = []
    if column.allowed:
        checks.append(pandera.Check.isin(column.allowed))
    if column.at_least is not None:
        checks.append(pandera.Check.ge(column.at_least))
    if column.at_most is not None:
        checks.append(pandera.Check.le(column.at_most))
    return pandera.Column(
        column.dtype, checks, nullable=column.optional, description=column.meaning, metadata={"unit": column.unit}
    )


def _faults(error: SchemaErrors) -> str:
    cases = error.failure_cases
    lines: list[str] = []
    for (column, what), rows in cases.groupby(["column", "check"], sort=False, dropna=False):
        where = [str(index) for index in rows["index"].dropna()[:MAX_FAULTS]]
        place = f" in row {', '.join(where)}" if where else ""
        # what was said is never repeated in a message: the row is enough to find it
        lines.append(
            f"{column}: {what}{place}" + (f" and {len(rows) - MAX_FAULTS} more" if len(rows) > MAX_FAULTS else "")
        )
    return "; ".join(lines[:MAX_FAULTS])
