"""Where the tables come from: a Parquet file read where it lies, or anything else by way of Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from attribution.journeys import IDENTIFIERS, SCHEMAS, JourneyError
from attribution.validation import (
    arrow,
    check_type,
    checked,
    from_text,
    is_text,
    refuse_columns,
    refuse_duplicates,
    validate,
)

NAMES = ("account_id", "campaign", "channel", "kind", "ad_material")
"""The touches' columns in which few texts occur often."""


@dataclass(frozen=True)
class Source:
    """A table of the contract: checked rows in memory, or a Parquet file whose rows are checked later.

    Parameters
    ----------
    name : str
        Which table.
    columns : dict of str to pyarrow.DataType
        Its columns of the contract.
    table : pyarrow.Table or None, default None
        The rows, checked.
    path : str, default ""
        The file, or ``DIRECTORY/*.parquet``.
    """

    name: str
    columns: dict[str, pa.DataType]
    table: pa.Table | None = None
    path: str = ""

    def count(self) -> int:
        """Count the rows."""
        if self.table is not None:
            return len(self.table)
        import pyarrow.parquet

        path = Path(self.path)
        files = path.parent.glob(path.name) if path.name == "*.parquet" else [path]
        return sum(int(pyarrow.parquet.read_metadata(file).num_rows) for file in files)

    def rows(self) -> pa.Table:
        """Give the checked rows in memory."""
        if self.table is not None:
            return self.table
        return validate(_stored(self.path, list(self.columns)), self.name)

    def coded(self) -> pa.Table:
        """Give the checked rows in memory, names as the dictionaries that a file holds them in."""
        if self.table is not None:
            return self.table
        names = [name for name in NAMES if name in self.columns and is_text(self.columns[name])]
        return checked(_stored(self.path, list(self.columns), names), self.name)

    def name_the_row(self) -> None:
        """Read a file of which a check has failed, and refuse the first row that fails it."""
        done = 0
        for batch in _dataset(self.path).to_batches(columns=list(self.columns)):
            try:
                validate(pa.Table.from_batches([batch]), self.name)
            except JourneyError as error:
                if error.row is not None and "stands already" not in error.reason:
                    place: dict[str, Any] = {
                        "table": self.name,
                        "row": error.row + done,
                        "column": error.column,
                    }
                    raise JourneyError(error.reason, error.remedy, **place, value=error.value) from None
            done += batch.num_rows
        identifier = IDENTIFIERS[self.name]
        refuse_duplicates(_stored(self.path, [identifier]), self.name, identifier)


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
    return _in_memory(arrow(source), name)


def read_all(touches: Any, conversions: Any, answers: Any = None) -> list[Source]:
    """Open the tables of a run, and refuse accounts that are text in one and numbers in another."""
    given = {"touches": touches, "conversions": conversions, "answers": answers}
    sources = [read(table, name) for name, table in given.items() if table is not None]
    whole = [pa.types.is_integer(source.columns["account_id"]) for source in sources]
    filled = [s.table is None or s.table["account_id"].null_count < max(1, s.table.num_rows) for s in sources]
    for source, number, some in zip(sources, whole, filled, strict=True):
        if some and filled[0] and number != whole[0]:
            raise JourneyError(
                f"the type is {source.columns['account_id']}, unlike that of the touches' account_id",
                "write accounts as text in every table, or as whole numbers in every table",
                table=source.name,
                column="account_id",
            )
    return sources


def _in_memory(table: pa.Table, name: str) -> Source:
    checked = validate(table, name)
    return Source(name, dict(zip(checked.column_names, checked.schema.types, strict=True)), table=checked)


def _csv(path: Path, name: str) -> pa.Table:
    import pyarrow.csv

    if not path.exists():
        raise JourneyError(f"there is no file {path}", "check the path", table=name)
    try:
        with pyarrow.csv.open_csv(path) as reader:
            names = reader.schema.names
        convert = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        )
        return pyarrow.csv.read_csv(path, convert_options=convert)
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise JourneyError(
            f"{path.name} cannot be read: {error}", "save it as UTF-8 CSV", table=name
        ) from None


def _parquet(path: Path, name: str) -> Source:
    import pyarrow.parquet

    if not path.exists():
        raise JourneyError(f"there is no file {path}", "check the path", table=name)
    try:
        several = path.is_dir()
        schema = _dataset(path).schema if several else pyarrow.parquet.read_schema(path)
    except pa.ArrowInvalid as error:
        raise JourneyError(
            f"{path.name} cannot be read: {error}", "write it as Parquet", table=name
        ) from None
    refuse_columns(schema.names, name)
    columns = {f.name: schema.field(f.name).type for f in SCHEMAS[name] if f.name in schema.names}
    for column, kind in columns.items():
        check_type(kind, SCHEMAS[name].field(column), name)
    if any(_needs_arrow(kind) for kind in columns.values()):
        return _in_memory(_stored(path, list(columns)), name)
    return Source(name, columns, path=str(path / "*.parquet") if several else str(path))


def _needs_arrow(kind: pa.DataType) -> bool:
    """Tell whether a column must be cast row by row: fractions, unsigned 64 bits, nanoseconds, nothing."""
    if pa.types.is_timestamp(kind):
        return bool(kind.unit == "ns")
    others = (pa.types.is_floating, pa.types.is_decimal, pa.types.is_uint64, pa.types.is_null)
    return any(is_one(kind) for is_one in others)


def _dataset(path: str | Path, names: Sequence[str] = ()) -> Any:
    import pyarrow.dataset

    parquet = pyarrow.dataset.ParquetFileFormat(dictionary_columns=names)
    return pyarrow.dataset.dataset(str(path).removesuffix("/*.parquet"), format=parquet)


def _stored(path: str | Path, columns: Sequence[str], names: Sequence[str] = ()) -> pa.Table:
    """Read columns of a Parquet file or of a directory of them, those of `names` as dictionaries."""
    if Path(path).is_file():
        # A dataset costs 40 MB of memory for its library: only where there are several files.
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path, read_dictionary=list(names)) as file:
            return file.read(columns=list(columns))
    return _dataset(path, names).to_table(columns=list(columns))
