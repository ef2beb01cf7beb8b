"""The overview on one printed page: figures, charts and the table that reconciles. Charts are handed over as SVG."""

from __future__ import annotations

from datetime import date

from core.calc.movements import KINDS
from core.documents.customer_overview import Made
from core.documents.paper import pdf
from core.documents.words import Words
from core.domain.money import to_major
from core.language import formats
from core.reports.kpis import Figures

MONTHS = 13


def kpi_page(
    figures: Figures, charts: list[tuple[str, str]], language: str, *, company: str, segment: str, today: date
) -> Made:
    """The page of the last thirteen months. `charts`: (what it shows, SVG)."""
    words = Words.of(language)
    t, currency = words.t, figures.currency
    months = figures.months.tail(MONTHS)
    now = months.row(-1, named=True)
    over = figures.row(figures.last_complete) if figures.last_complete else None

    def share(value: float | None, places: int = 1) -> str:
        return formats.share(value, words.language, places)

    flows = [name for name in (*KINDS, "fx") if (months[name] != 0).any()]
    titles = {"new": t("New"), "reactivation": t("Reactivation"), "expansion": t("Expansion"), "moved_in": t("Moved in"), "contraction": t("Contraction"),
              "moved_out": t("Moved out"), "churn": t("Churn"), "fx": t("Currency")}  # fmt: skip
    content = {
        "made": [today.year, today.month, today.day], "seller": {"name": company, "foot": t("Data as of {instant}", instant=words.day(today))},
        "page": t("page"), "of": t("of"), "segment": segment, "note": t("Every row adds up: beginning + movements = end, to the minor unit."),
        "figures": [
            [t("MRR"), formats.whole_money(now["closing"], currency, words.language)], [t("ARR"), formats.whole_money(12 * now["closing"], currency, words.language)],
            [t("Paying customers"), formats.number(now["customers_at_end"], words.language)], [t("ARPA"), words.money(now["arpa_minor"] or 0, currency)],
            [t("Customer churn"), share(over["customer_churn"] if over else None, 2)], [t("NRR, 12 months"), share(now["nrr"])], [t("GRR, 12 months"), share(now["grr"])],
        ],
        "charts": [{"alt": said, "svg": svg} for said, svg in charts],
        "columns": [t("Month"), t("At the beginning"), *(titles[name] for name in flows), t("At the end"), t("Customers")],
        "rows": [
            [formats.month(row["month"], words.language), *(formats.number(to_major(row[name], currency).to_integral_value(), words.language) for name in ("opening", *flows, "closing")), formats.number(row["customers_at_end"], words.language)]
            for row in months.iter_rows(named=True)
        ],
        "unit": t("Amounts in {currency}", currency=currency),
    }  # fmt: skip
    return Made(pdf("kpi_page", content, t("Overview"), words.language), f"overview-{today.isoformat()}.pdf")
