"""Text files in: bytes → a frame of text columns, with the line on which each row begins.

What cannot be a table of text (an image, a workbook, NUL bytes, another encoding, a line without end, a million columns)
is refused with one sentence before anything is parsed. Blank cells are null; nothing else is interpreted, so that an id
keeps its zeros and a formula in a name stays text.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import polars as pl

from core.domain.errors import InvalidInput
from core.exchange.export import unquoted
from core.exchange.mapping import ENCODINGS

MAX_LINE_BYTES = 1_000_000
MAX_COLUMNS = 1_000
ROWS_AT_ONCE = 20_000

# First bytes that give away what a file really is, and its name in a sentence.
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a bitmap image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or a workbook (XLSX)"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (XLS)"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"7z\xbc\xaf", "a compressed file (7z)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
)
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Source:
    """A file as text: `rows` has a String column for each of the file's, `lines` the line of each row (1 = header)."""

    name: str
    content_hash: str
    rows: pl.DataFrame
    lines: pl.Series


def content_hash(data: bytes) -> str:
    """What recognises a file again, whatever it is called."""
    return hashlib.sha256(data).hexdigest()


def read_source(name: str, data: bytes, *, separator: str = ",", encoding: str = "utf-8") -> Source:
    """The rows of a delimited text file with a header line; refuses what is not one."""
    require_text(data)
    require_bounds(data, separator.encode())
    text = decode(data, encoding)
    rows, lines = _parse(text, separator)
    return Source(name, content_hash(data), rows, lines)


def require_text(data: bytes) -> None:
    """Refuse an empty file, a known binary format, UTF-16 and NUL bytes."""
    if not data.strip():
        raise InvalidInput("The file is empty", code="empty_file")
    for mark, kind in MAGIC:
        if data.startswith(mark) and (len(mark) > 2 or b"\x00" in data[:64]):
            raise InvalidInput("This is {kind}, not a text file with columns", code="not_text", kind=kind)
    if data.startswith(WIDE_MARKS):
        raise InvalidInput("The file is written in UTF-16; save it as UTF-8", code="wrong_encoding")
    at = data.find(b"\x00")
    if at >= 0:
        raise InvalidInput(
            "Line {line} holds a NUL byte: this is not a text file, or it is UTF-16; save it as UTF-8",
            code="nul_byte", line=data.count(b"\n", 0, at) + 1,
        )  # fmt: skip


def require_bounds(data: bytes, separator: bytes) -> None:
    """Refuse a line or a header that no real table has, before it costs memory."""
    for number, line in enumerate(io.BytesIO(data), 1):
        if len(line) > MAX_LINE_BYTES:
            raise InvalidInput(
                "Line {line} is {size} MB long; a line may have 1 MB", code="line_too_long", line=number,
                size=round(len(line) / 1e6, 1),
            )  # fmt: skip
        columns = line.count(separator) + 1
        if number == 1 and columns > MAX_COLUMNS:
            raise InvalidInput(
                "The file has {columns} columns; at most {most} are read", code="too_many_columns", columns=columns,
                most=MAX_COLUMNS,
            )  # fmt: skip


def decode(data: bytes, encoding: str) -> str:
    """The text; a byte that the stated encoding does not know is named with its line."""
    try:
        return data.decode(ENCODINGS[encoding])
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "Line {line} is not {encoding} text; save the file as UTF-8, or state its encoding in the mapping",
            code="wrong_encoding", line=data.count(b"\n", 0, error.start) + 1, encoding=encoding.upper(),
        ) from None  # fmt: skip


def _parse(text: str, separator: str) -> tuple[pl.DataFrame, pl.Series]:
    """Rows and the line each begins on, read in slices so that only one is held as Python text."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = _header(next(reader, []))
        parts, lines = [], []
        rows = _numbered(reader, len(header))
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            lines += [line for line, _ in batch]
            parts.append(_frame(header, [row for _, row in batch]))
    except csv.Error as error:
        raise InvalidInput(
            "Line {line} cannot be read: {reason}", code="bad_row", line=reader.line_num, reason=_reason(str(error))
        ) from None
    if not parts:
        raise InvalidInput("The file has a header but no rows", code="no_rows")
    return pl.concat(parts), pl.Series("line", lines, pl.Int64)


def _header(names: list[str]) -> list[str]:
    """The column names; each must have one, and no two the same."""
    names = [name.strip() for name in names]
    for place, name in enumerate(names, 1):
        if not name:
            raise InvalidInput("Column {place} has no name in line 1", code="bad_header", place=place)
        if name in names[: place - 1]:
            raise InvalidInput("Two columns are called {name}", code="bad_header", name=name)
    return names


def _numbered(reader: Iterator[list[str]], width: int) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line it begins on; blank lines are passed over, a row of another width is refused."""
    end: int = reader.line_num  # type: ignore[attr-defined]
    for row in reader:
        begin, end = end + 1, reader.line_num  # type: ignore[attr-defined]
        if not row:
            continue
        if len(row) != width:
            raise InvalidInput(
                "Line {line} has {count} fields, the header has {width}", code="bad_row", line=begin, count=len(row),
                width=width,
            )  # fmt: skip
        yield begin, row


def _frame(header: list[str], rows: list[list[str]]) -> pl.DataFrame:
    """One slice as text columns; blank cells become null, the apostrophe of an exported formula goes (export.py)."""
    columns = zip(*rows, strict=True)
    frame = pl.DataFrame([pl.Series(name, values, pl.String) for name, values in zip(header, columns, strict=True)])
    filled = pl.all().str.strip_chars() != ""
    return frame.select(unquoted(pl.when(filled).then(pl.all())))


def _reason(error: str) -> str:
    """The parser's words, in ours."""
    known = {
        "unexpected end of data": "a quotation mark is never closed",
        "field larger than field limit": "a field is longer than 131,072 characters",
        "expected after": "text follows a closing quotation mark",
    }
    return next((words for part, words in known.items() if part in error), error)
