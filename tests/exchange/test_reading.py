"""Files in: what is read, line by line, and what is refused with one sentence."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.errors import InvalidInput
from core.exchange.reading import read_source

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def refusal(data: bytes, **options: str) -> str:
    """The sentence that refuses the file."""
    with pytest.raises(InvalidInput) as caught:
        read_source("file.csv", data, **options)
    return str(caught.value)


def test_cells_stay_text_and_blank_ones_are_nothing() -> None:
    source = read_source("a.csv", "id,name,note\n007, Åse ,=1+1\n8,,  \n".encode())

    assert source.rows.rows() == [("007", " Åse ", "=1+1"), ("8", None, None)]
    assert source.lines.to_list() == [2, 3]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert read_source("a.csv", b"\xef\xbb\xbfid\n1\n").rows.columns == ["id"]


def test_rows_know_their_line_across_quoted_line_breaks_and_blank_lines() -> None:
    source = read_source("a.csv", b'id,note\n1,"two\nlines"\n\n2,x\r\n3,y')

    assert source.lines.to_list() == [2, 5, 6]
    assert source.rows["note"].to_list() == ["two\nlines", "x", "y"]


def test_a_workbook_named_csv_is_recognised() -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")

    assert refusal(content.getvalue()) == "This is a ZIP archive or a workbook (XLSX), not a text file with columns"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty"),
        (b" \n\r\n", "The file is empty"),
        (b"id,name\n", "The file has a header but no rows"),
        (PNG, "This is a PNG image, not a text file with columns"),
        (JPEG, "This is a JPEG image, not a text file with columns"),
        (b"%PDF-1.7", "This is a PDF document, not a text file with columns"),
        ("id\n1\n".encode("utf-16"), "The file is written in UTF-16; save it as UTF-8"),
        (
            b"id\n1\n2\x00\n",
            "Line 3 holds a NUL byte: this is not a text file, or it is UTF-16; save it as UTF-8",
        ),
        (
            "id\nÅse\n".encode("latin-1"),
            "Line 2 is not UTF-8 text; save the file as UTF-8, or state its encoding in the mapping",
        ),
        (b"a,b\n1,2\n1,2,3\n", "Line 3 has 3 fields, the header has 2"),
        (b"a,a\n1,2\n", "Two columns are called a"),
        (b"a,\n1,2\n", "Column 2 has no name in line 1"),
        (b'a,b\n1,"2\n', "Line 2 cannot be read: a quotation mark is never closed"),
        (b'a,b\n1,"2"x\n', "Line 2 cannot be read: text follows a closing quotation mark"),
        (b"a" + b",b" * 1_000_000 + b"\n", "Line 1 is 2.0 MB long; a line may have 1 MB"),
        (b"a" + b",b" * 2_000 + b"\n", "The file has 2001 columns; at most 1000 are read"),
        (b"a\n" + b"x" * (50 * 1_000_000), "Line 2 is 50.0 MB long; a line may have 1 MB"),
        (b"a\n" + b"x" * 200_000 + b"\n", "Line 2 cannot be read: a field is longer than 131,072 characters"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else None,
)
def test_what_is_not_a_table_of_text_gets_one_clear_sentence(data: bytes, sentence: str) -> None:
    assert refusal(data) == sentence


def test_a_stated_encoding_and_separator_are_used() -> None:
    source = read_source("a.csv", "id;navn\n1;Åse\n".encode("cp1252"), separator=";", encoding="cp1252")

    assert source.rows.rows() == [("1", "Åse")]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_in_a_sentence(data: bytes) -> None:
    try:
        source = read_source("a.csv", data)
    except InvalidInput as refused:
        sentence = str(refused)
    else:
        assert source.rows.height == len(source.lines) > 0
        return
    assert 0 < len(sentence) < 400
