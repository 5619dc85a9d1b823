"""Where the tables come from: a Parquet file read by the engine itself, or anything else by way of Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from attribution.journeys import IDENTIFIERS, SCHEMAS, JourneyError
from attribution.validation import check_type, checks, from_text, refuse_duplicates, validate


@dataclass(frozen=True)
class Source:
    """A table of the contract: checked rows in memory, or a Parquet file whose rows are checked later."""

    name: str
    columns: dict[str, pa.DataType]
    table: pa.Table | None = None
    path: str = ""

    def rows(self) -> pa.Table:
        """Give the checked rows in memory."""
        if self.table is not None:
            return self.table
        return validate(_stored(self.path, list(self.columns)), self.name)


def read(source: Any, name: str) -> Source:
    """Open `source` as table `name`; what is read into memory is checked at once."""
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix.lower() == ".csv":
            return _in_memory(from_text(_csv(path, name), name), name)
        if path.suffix.lower() in (".parquet", ".pq") or path.is_dir():
            return _parquet(path, name)
        raise JourneyError(
            f"{path.name} is neither .csv nor .parquet", "save the table as one of the two", table=name
        )
    if not isinstance(source, pa.Table):
        frame = nw.from_native(source)
        source = (frame.collect("pyarrow") if isinstance(frame, nw.LazyFrame) else frame).to_arrow()
    return _in_memory(source, name)


def _in_memory(table: pa.Table, name: str) -> Source:
    checked = validate(table, name)
    return Source(name, dict(zip(checked.column_names, checked.schema.types, strict=True)), table=checked)


def _csv(path: Path, name: str) -> pa.Table:
    if not path.exists():
        raise JourneyError(f"there is no file {path}", "check the path", table=name)
    try:
        with path.open("rb") as file:
            header = file.readline().decode("utf-8-sig").strip()
        names = [part.strip().strip('"') for part in header.split(",")]
        convert = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        )
        return pyarrow.csv.read_csv(path, convert_options=convert)
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise JourneyError(
            f"{path.name} cannot be read: {error}", "save it as UTF-8 CSV", table=name
        ) from None


def _parquet(path: Path, name: str) -> Source:
    if not path.exists():
        raise JourneyError(f"there is no file {path}", "check the path", table=name)
    try:
        # A dataset would cost 40 MB of memory for its library: only where there are several files.
        several = path.is_dir()
        schema = _dataset(path).schema if several else pyarrow.parquet.read_schema(path)
    except pa.ArrowInvalid as error:
        raise JourneyError(
            f"{path.name} cannot be read: {error}", "write it as Parquet", table=name
        ) from None
    columns: dict[str, pa.DataType] = {}
    for field in SCHEMAS[name]:
        if field.name in schema.names:
            kind = schema.field(field.name).type
            check_type(kind, field, name)
            columns[field.name] = kind
        elif not field.metadata:
            validate(schema.empty_table(), name)
    odd = [c for c, kind in columns.items() if pa.types.is_floating(kind) or _nanoseconds(kind)]
    if odd:
        # Fractions must be refused row by row, and Spark reads no nanoseconds: by way of memory then.
        return _in_memory(_stored(path, list(columns)), name)
    return Source(name, columns, path=str(path / "*.parquet") if several else str(path))


def _dataset(path: str | Path) -> Any:
    import pyarrow.dataset

    return pyarrow.dataset.dataset(str(path).removesuffix("/*.parquet"), format="parquet")


def _stored(path: str | Path, columns: list[str]) -> pa.Table:
    return _dataset(path).to_table(columns=columns)


def _nanoseconds(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.unit == "ns")


def check_rows(frame: nw.LazyFrame[Any], source: Source) -> None:
    """Check the rows of a file inside the engine; only if one is bad, read the file to name the row."""
    check_values(frame, source)
    check_identifiers(frame, source)


def check_values(frame: nw.LazyFrame[Any], source: Source) -> None:
    """Refuse a row with a value that the contract rules out."""
    if source.table is not None:
        return
    # A filter, not a count: engines skip what a file's own statistics already rule out, such as nulls.
    broken = reduce(or_, (rule.broken for rule in checks(source.name, source.columns)))
    # A column of the table: Spark and Polars answer a literal alone with one row, whatever the filter leaves.
    if len(frame.filter(broken).select(next(iter(source.columns))).head(1).collect("pyarrow")):
        _name_the_row(source)


def check_identifiers(frame: nw.LazyFrame[Any], source: Source) -> None:
    """Refuse an identifier that occurs twice."""
    identifier = IDENTIFIERS.get(source.name)
    if source.table is not None or not identifier:
        return
    repeated = frame.group_by(identifier).agg(nw.len().alias("times")).filter(nw.col("times") > 1)
    if len(repeated.head(1).collect("pyarrow")):
        _name_the_row(source)


def _name_the_row(source: Source) -> None:
    data = _dataset(source.path)
    done = 0
    for batch in data.to_batches(columns=list(source.columns)):
        try:
            validate(pa.Table.from_batches([batch]), source.name)
        except JourneyError as error:
            if error.row is None or "stands already" in error.reason:
                continue
            raise JourneyError(
                error.reason,
                error.remedy,
                table=source.name,
                row=error.row + done,
                column=error.column,
                value=error.value,
            ) from None
        finally:
            done += batch.num_rows
    identifier = IDENTIFIERS.get(source.name)
    if identifier:
        refuse_duplicates(data.to_table(columns=[identifier]), source.name, identifier)
