"""Settings: the company and its numbers, VAT, currencies, books, people, and the data themselves."""

from core.ui import parts, session, settings_books, settings_company, settings_people, settings_vat
from core.ui.plan_words import view_in_url
from core.ui.text import t

context = session.open_page()
parts.header(
    t("Settings"), t("Everything is dated and nothing is overwritten: see what holds, what comes, and who said so.")
)
sections = {
    "company": (t("Company"), settings_company.show_company),
    "numbers": (t("Numbers and terms"), settings_company.show_numbers),
    "vat": (t("VAT"), settings_vat.show_vat),
    "currencies": (t("Currencies"), settings_vat.show_currencies),
    "books": (t("Books"), settings_books.show_books),
    "people": (t("People"), settings_people.show),
    "data": (t("Data"), settings_books.show_data),
}  # fmt: skip
chosen = view_in_url("section", {name: text for name, (text, _) in sections.items()})
sections[chosen][1](context)
