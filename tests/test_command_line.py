"""`python -m core`: what it prints, what it answers to a machine, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine

from core.__main__ import DONE, REFUSED, main
from core.domain.errors import Conflict
from core.store import billing
from tests.apps import url_of
from tests.reports.test_simulation import company

ROOT = Path(__file__).parents[1]
SAMPLE = [str(ROOT / "seed" / "mappings" / "sample.toml"), str(ROOT / "seed" / "sample.csv")]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a job on a database of its own; answers the exit code, standard output and standard error."""
    monkeypatch.setenv("FORBLI_DATABASE_URL", f"sqlite:///{tmp_path / 'forbli.db'}")

    def job(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return job


def test_an_import_says_what_came_in_and_the_second_time_that_it_was_here(run: Any) -> None:
    first, second = run("import", *SAMPLE), run("import", *SAMPLE)

    assert first[0] == second[0] == DONE
    assert "subscriptions: 8" in first[1]
    assert "already imported: yes" in second[1]


def test_a_dry_run_writes_nothing(run: Any) -> None:
    dry = json.loads(run("import", *SAMPLE, "--dry-run", "--json")[1])
    real = json.loads(run("import", *SAMPLE, "--json")[1])

    assert dry["dry_run"] is True
    assert dry["subscriptions"] == real["subscriptions"] == 8
    assert real["already_imported"] is False


def test_the_day_of_the_file_can_be_said(run: Any) -> None:
    answer = json.loads(run("import", *SAMPLE, "--as-of", "2023-12-31", "--dry-run", "--json")[1])

    assert answer["as_of"] == "2023-12-31"
    assert answer["ended"] == {"death": 1, "involuntary": 1, "voluntary": 1}


def test_an_image_is_refused_with_one_sentence_and_code_2(run: Any, tmp_path: Path) -> None:
    image = tmp_path / "customers.csv"
    image.write_bytes(b"\x89PNG\r\n\x1a\n\x00")

    code, out, err = run("import", SAMPLE[0], str(image))
    as_json = run("import", SAMPLE[0], str(image), "--json")

    assert (code, out, err) == (REFUSED, "", "This is a PNG image, not a text file with columns\n")
    assert as_json[0] == REFUSED
    assert json.loads(as_json[1])["code"] == "not_text"


def test_bad_rows_are_listed_with_their_lines(run: Any, tmp_path: Path) -> None:
    lines = Path(SAMPLE[1]).read_text().splitlines()
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join([*lines[:2], lines[2].replace("01.09.2019", "31.02.2019")]))

    code, _, err = run("import", SAMPLE[0], str(broken))
    answer = json.loads(run("import", SAMPLE[0], str(broken), "--json")[1])

    assert code == REFUSED
    assert "  line 3: “31.02.2019” is not a date (start)" in err
    assert answer["count"] == 1
    assert answer["rows"] == [{"line": 3, "reason": "“31.02.2019” is not a date (start)"}]


def test_a_file_that_is_not_there_is_a_sentence(run: Any) -> None:
    assert run("import", SAMPLE[0], "nowhere.csv")[2] == "There is no file nowhere.csv\n"


def test_the_books_of_an_empty_company_check(run: Any) -> None:
    assert run("check", "--json") == (DONE, '{"findings": []}\n', "")


def test_a_database_that_does_not_answer_is_a_sentence(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORBLI_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    code, _, err = run("check")

    assert code == REFUSED
    assert "does not answer" in err
    assert err.count("\n") == 1


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    environment = {**os.environ, "FORBLI_DATABASE_URL": f"sqlite:///{tmp_path / 'forbli.db'}"}
    done = subprocess.run(
        [sys.executable, "-m", "core", "migrate", "--json"], cwd=ROOT, env=environment, capture_output=True, check=False
    )

    assert done.returncode == DONE, done.stderr
    assert json.loads(done.stdout)["database"] == "sqlite"


def test_the_fit_of_a_survivor_table_and_of_what_is_none(run: Any, tmp_path: Path) -> None:
    table = tmp_path / "survivors.csv"
    table.write_text("period,alive\n0,1000\n1,631\n2,468\n3,382\n4,326\n5,289\n6,262\n7,241\n", encoding="utf-8")
    code, printed, _ = run("lifetime", "--table", str(table), "--json")
    answer = json.loads(printed)

    assert code == DONE
    assert answer["model"] == "sBG"
    assert round(answer["alpha"], 3) == 0.704
    assert round(answer["beta"], 3) == 1.182
    assert answer["c"] == 1.0
    assert round(answer["log_likelihood"], 2) == -1680.27
    assert round(answer["projection"][4]["survival"], 2) == 0.17
    for content, words in (("", "empty"), ("a,b\n1,2\n", "period and alive"), ("period,alive\n0,100\n2,90\n", "without a gap"),
                           ("period,alive\n0,100\n1,x\n", "must be a number"), ("period,alive\n0,100\n1,110\n", "rises")):  # fmt: skip
        table.write_text(content, encoding="utf-8")
        code, _, refused = run("lifetime", "--table", str(table))
        assert (code, words in refused) == (REFUSED, True), content
    assert run("lifetime", "--by", "moon")[::2] == (
        REFUSED, "Lifetimes are told apart by plan, interval, term, kind, payment_option, channel, country or onboarding, not by moon\n"
    )  # fmt: skip


def test_the_figures_of_a_company_month_by_month(run: Any) -> None:
    run("import", *SAMPLE)
    code, printed, _ = run("metrics", "--from", "2024-01-01", "--to", "2024-03-31", "--by", "kind", "--json")
    answer = json.loads(printed)

    assert code == DONE
    assert [row["month"] for row in answer["months"]] == ["2024-01", "2024-02", "2024-03"]
    assert sum(part[-1]["closing"] for part in answer["by"]["segments"].values()) == answer["months"][-1]["closing"]
    assert run("metrics", "--from", "2024-03-01", "--to", "2024-01-31")[0] == REFUSED
    assert run("metrics", "--from", "2024-01-01", "--to", "2024-01-31", "--by", "moon")[0] == REFUSED


def _nobody(*_: object) -> None:
    raise Conflict("Fill in your company in Settings before billing", code="no_company")


def test_a_scenario_file_makes_its_memo(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    company(sqlite_engine, 4)
    monkeypatch.setenv("FORBLI_DATABASE_URL", url_of(sqlite_engine))
    file, paper = tmp_path / "dearer.toml", tmp_path / "memo.pdf"
    file.write_text(
        'name = "Dearer"\nplan = "pro"\ncurrency = "NOK"\n[[edits]]\ncharge = "fee"\ncolumn = "flat_amount"\nvalue = "349"\n'
        '[[edits]]\ncharge = "sign"\ncolumn = "kind"\nvalue = "fixed"\n[[edits]]\ncharge = "sign"\ncolumn = "name"\nvalue = "Signing"\n'
        '[[edits]]\ncharge = "sign"\ncolumn = "flat_amount"\nvalue = "10"\n'
    )
    asked = ["simulate", str(file), "--as-of", "2026-06-15", "--json"]

    assert main([*asked, "--memo", str(paper)]) == DONE
    said = PdfReader(paper).pages[0].extract_text().replace("\u00a0", " ")
    assert "fee 299.00 kr → 349.00 kr; new: Signing 10.00 kr" in " ".join(said.split())
    assert json.loads(capsys.readouterr().out)["exact"]["moved"] == 4
    monkeypatch.setattr(billing, "company_profile", _nobody)  # as after an import: the company is not filled in
    assert main([*asked, "--memo", str(paper)]) == DONE
    capsys.readouterr()
    assert main([*asked, "--memo", str(tmp_path)]) == REFUSED
    assert "cannot be written" in json.loads(capsys.readouterr().out)["error"]
