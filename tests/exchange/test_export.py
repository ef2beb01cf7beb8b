"""Files out: numbers stay numbers, text is never run, and what was left out is said inside the file."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidInput
from core.exchange import export
from core.exchange.export import Table, as_csv, as_xlsx
from core.exchange.reading import read_source

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1", "'=1", "''+1"]
HARMLESS = ["Ås & Sønn", "a=b", "O'Neill", "'quoted'", "5-1", " =1"]
NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def table(**columns: object) -> Table:
    """A table with each column under its own name."""
    rows = pl.DataFrame(columns)
    return Table("Rows", rows, {name: name for name in rows.columns if name != "currency"}, {"Filter": "none"})


def cells(data: bytes, sheet: int = 1) -> list[list[tuple[str, str]]]:
    """(type, value) of every cell of a sheet; type s is text, f a formula, n a number."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    rows = []
    for row in root.iter(f"{NAMESPACE}row"):
        found = []
        for cell in row:
            kind = "f" if cell.find(f"{NAMESPACE}f") is not None else "n" if cell.get("t", "n") == "n" else "s"
            found.append((kind, "".join(cell.itertext())))
        rows.append(found)
    return rows


def test_a_formula_in_a_name_is_quoted_in_csv_and_comes_back_as_it_was() -> None:
    names = [*FORMULAS, *HARMLESS]
    data = as_csv(table(name=names))

    read = read_source("a.csv", data).rows["name"].to_list()
    lines = data.decode("utf-8-sig")
    assert read == names
    assert "'=1+1" in lines
    assert "'＝1" in lines
    assert "'-1" in lines
    assert "\na=b," in lines


@given(st.lists(st.text("=+-@'＝ aø\t,\"", min_size=1).filter(str.strip), min_size=1))
def test_any_text_comes_back_from_csv_and_no_cell_begins_like_a_formula(names: list[str]) -> None:
    data = as_csv(table(name=names))

    assert read_source("a.csv", data).rows["name"].to_list() == names
    written = pl.read_csv(data, infer_schema=False)["name"]
    assert not written.str.contains(r"^[=+\-@\t＝＋－＠]").any()


def test_amounts_have_the_decimals_of_their_currency_and_minus_five_stays_minus_five() -> None:
    data = as_csv(table(amount_minor=[-500, -5, 0, 123_456, -7], currency=["NOK", "NOK", "NOK", "KWD", "JPY"]))

    assert read_source("a.csv", data).rows["amount_minor"].to_list() == ["-5.00", "-0.05", "0.00", "123.456", "-7"]


def test_quantities_rates_days_and_instants_are_written_plainly() -> None:
    made = table(
        units_micro=[12_500_000], vat_ppm=[250_000], day=[date(2026, 3, 1)], at=[datetime(2026, 3, 1, 9, 30, tzinfo=UTC)],
        empty=pl.Series([None], dtype=pl.Int64),
    )  # fmt: skip

    assert read_source("a.csv", as_csv(made)).rows.row(0)[:5] == (
        "12.5",
        "25",
        "2026-03-01",
        "2026-03-01T09:30:00Z",
        None,
    )


def test_the_filter_stands_inside_both_files() -> None:
    made = Table(
        "Invoices",
        pl.DataFrame({"number": ["F1"]}),
        {"number": "Number"},
        {"Filter": "=credit notes", "As of": "1 March"},
    )

    assert as_csv(made).decode("utf-8-sig").splitlines()[0] == "Number,Filter: =credit notes · As of: 1 March"
    assert [("s", "Filter"), ("s", "=credit notes")] in cells(as_xlsx(made), sheet=2)


def test_a_workbook_holds_text_as_text_and_numbers_as_numbers() -> None:
    made = table(
        name=["=1+1", "http://x.no", "-5"], amount_minor=[-500, 1_999, None], currency=["NOK", "KWD", "NOK"],
        day=[date(2026, 3, 1)] * 3,
    )  # fmt: skip

    header, first, second, third = cells(as_xlsx(made))
    assert [value for _, value in header] == ["name", "amount_minor", "day"]
    assert first[:2] == [("s", "=1+1"), ("n", "-5")]
    assert second[:2] == [("s", "http://x.no"), ("n", "1.999")]
    assert third[0] == ("s", "-5")
    assert len(third) == 2  # no amount: no cell


def test_a_workbook_too_small_for_the_rows_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_SHEET_ROWS", 2)
    with pytest.raises(InvalidInput, match="holds at most 2 rows and there are 3; export CSV instead"):
        as_xlsx(table(name=["a", "b", "c"]))


def test_a_table_written_piece_by_piece_is_the_table_written_at_once() -> None:
    whole = table(name=["a", "=b", "c"], amount_minor=[1, -2, 3], currency=["NOK"] * 3)
    pieces = [replace(whole, rows=piece) for piece in whole.rows.iter_slices(2)]

    assert as_csv(pieces[0]) + as_csv(pieces[1], more=True) == as_csv(whole)
