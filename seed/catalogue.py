"""What the demo company sells, in words that can be read like a price list.

Nordvarde AS in Tromsø keeps what people would hate to lose: photos and documents of homes, alarms of cabins, the office and
the payments of businesses. Consumers pay prices that include VAT, businesses prices without. Amounts are decimal text in
major units; every charge kind and charge model of the product is used somewhere (README.md has the table).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.domain.periods import HALF_YEARLY, MONTHLY, QUARTERLY, WEEKLY, YEARLY, Alignment, Interval, Timing
from core.domain.plans import Charge, ChargeKind, ChargeModel, EventTerms, PriceTerms, Rounding, Tier

COMPANY: dict[str, Any] = {
    "legal_name": "Nordvarde AS", "organisation_number": "909000009", "vat_registered": True, "limited_company": True,
    "address": "Sjøgata 12", "postal_code": "9008", "city": "Tromsø", "country": "NO", "email": "faktura@nordvarde.example",
    "phone": "77 00 00 00", "bank_account": "86011117947", "currency": "NOK",
    "terms_days": 14, "review_above_minor": 50_000_000,
}  # fmt: skip
PEOPLE = [
    ("Ingrid Sæther", "ingrid@nordvarde.example", "admin"),
    ("Håkon Bøe", "haakon@nordvarde.example", "product"),
    ("Åse Nygård", "aase@nordvarde.example", "support"),
    ("Bjørn Østby", "bjorn@nordvarde.example", "finance"),
    ("Marte Lærdal", "marte@nordvarde.example", "viewer"),
]
# Norwegian VAT by category, then abroad: businesses with a VAT number account for it themselves, others need a decision.
VAT_RATES_PPM = {"standard": 250_000, "food": 150_000, "cinema": 120_000}
FREE_OF_VAT = "book"
CURRENCY_RATES = {"SEK": 0.985, "EUR": 11.45}  # NOK for one; they drift from here


def tier(up_to: str | None = None, unit: str = "0", flat: str = "0", size: str | None = None, rate: str = "0") -> Tier:
    """A tier row."""
    return Tier(
        None if up_to is None else Decimal(up_to), Decimal(unit), Decimal(flat),
        None if size is None else Decimal(size), Decimal(rate),
    )  # fmt: skip


def charge(code: str, name: str, kind: ChargeKind, model: ChargeModel, *tiers: Tier, **more: Any) -> Charge:
    """A charge; usage is billed in arrears, all else in advance unless said."""
    timing = Timing.ARREARS if kind is ChargeKind.USAGE else more.pop("timing", Timing.ADVANCE)
    return Charge(code, name, kind, model, tuple(tiers), timing, **more)


def fee(name: str, amount: str, **more: Any) -> Charge:
    """A fixed fee."""
    return charge(more.pop("code", "avgift"), name, ChargeKind.FIXED, ChargeModel.FLAT, tier(flat=amount), **more)


def addon(code: str, name: str, unit: str, **more: Any) -> Charge:
    """An optional extra at a price each."""
    return charge(code, name, ChargeKind.ADDON, ChargeModel.PER_UNIT, tier(unit=unit), **more)


def consumer(interval: Interval, *charges: Charge, trial_days: int = 0) -> PriceTerms:
    """Prices with VAT, from the customer's own billing day on."""
    return PriceTerms("NOK", interval, charges, Alignment.ANNIVERSARY, tax_inclusive=True, trial_days=trial_days)


def business(
    interval: Interval, *charges: Charge, currency: str = "NOK", minimum: str = "0", own_day: bool = False
) -> PriceTerms:
    """Prices without VAT, by the calendar unless on the customer's own day."""
    alignment = Alignment.ANNIVERSARY if own_day else Alignment.CALENDAR
    return PriceTerms(currency, interval, charges, alignment, minimum_commitment=Decimal(minimum))


# --- charges --------------------------------------------------------------------------------------------------------


def home(amount: str, times: int = 1) -> list[Charge]:
    """Hjem: one fee, more room and audio books on top."""
    return [
        fee("Hjem", amount),
        addon("lagring", "Ekstra lagring, 100 GB", str(29 * times)),
        addon("lydbok", "Lydbok i måneden", str(99 * times), vat_category=FREE_OF_VAT),
    ]


def family(amount: str, times: int = 1) -> list[Charge]:
    """Familie: five members are in, prints come in packages of twenty."""
    return [
        fee("Familie", amount),
        charge("medlem", "Medlemmer", ChargeKind.SEAT, ChargeModel.GRADUATED, tier("5"), tier(unit=str(19 * times))),
        charge("utskrift", "Bildeutskrifter", ChargeKind.USAGE, ChargeModel.PACKAGE, tier(unit="39", size="20"),
               meter="utskrift", included_units=Decimal(10)),
        addon("lagring", "Ekstra lagring, 100 GB", str(25 * times)),
        addon("kino", "Kinokveld", str(119 * times), vat_category="cinema"),
    ]  # fmt: skip


def cabin() -> list[Charge]:
    """Hytte: by the week; alarms in steps."""
    return [
        fee("Hytte", "39"),
        charge("varsel", "Varsler", ChargeKind.USAGE, ChargeModel.STAIRSTEP, tier("2"), tier("10", flat="19"),
               tier(flat="49"), meter="varsel"),
        addon("kamera", "Kamera", "15"),
    ]  # fmt: skip


def office(
    seats: tuple[str, str, str], base: str, *, support: str, setup: str, storage: str = "0.35", fruit: str = "249"
) -> list[Charge]:
    """Kontor: all seats at the price of the size reached, storage in GB from a meter in MB."""
    few, more, many = seats
    return [
        fee("Kontor", base),
        charge("bruker", "Brukere", ChargeKind.SEAT, ChargeModel.VOLUME, tier("10", few), tier("50", more), tier(unit=many)),
        charge("oppstart", "Oppstart", ChargeKind.ONE_OFF, ChargeModel.FLAT, tier(flat=setup)),
        charge("lager", "Lagring per GB", ChargeKind.USAGE, ChargeModel.GRADUATED, tier("1000", storage),
               tier(unit=str(Decimal(storage) * Decimal("0.6"))), meter="lager_mb", included_units=Decimal(100),
               convert_by=Decimal(1000), convert_rounding=Rounding.NEAREST),
        addon("telefon", "Telefonstøtte", support),
        addon("frukt", "Fruktkurv", fruit, vat_category="food"),
    ]  # fmt: skip


def shop() -> list[Charge]:
    """Handel: card payments, text messages in packages inside tiers, calls with a cap, a report afterwards."""
    return [
        fee("Handel", "499"),
        fee("Månedsrapport", "49", code="rapport", timing=Timing.ARREARS),
        charge("kort", "Kortbetalinger", ChargeKind.USAGE, ChargeModel.PERCENTAGE, meter="kort",
               events=EventTerms(Decimal("1.65"), Decimal("1.25"), 2, Decimal("2500"), Decimal("1.50"), Decimal("120"))),
        charge("sms", "Tekstmeldinger", ChargeKind.USAGE, ChargeModel.GRADUATED, tier("500", "59", size="100"),
               tier(unit="45", size="100"), meter="sms"),
        charge("kall", "API-kall per 1 000", ChargeKind.USAGE, ChargeModel.PER_UNIT, tier(unit="4.50"), meter="kall",
               convert_by=Decimal(1000), included_units=Decimal(10), max_amount=Decimal(990)),
        addon("terminal", "Betalingsterminal", "149"),
        addon("telefon", "Telefonstøtte", "490"),
    ]  # fmt: skip


def chain(first: str, turnover: str) -> list[Charge]:
    """Kjede: places in steps, a share of the turnover that falls, whole boxes of rolls only."""
    return [
        charge("sted", "Utsalgssteder", ChargeKind.SEAT, ChargeModel.STAIRSTEP, tier("5", flat=first),
               tier("20", flat="11900"), tier(flat="24900")),
        charge("omsetning", "Andel av omsetning", ChargeKind.USAGE, ChargeModel.GRADUATED_PERCENTAGE,
               tier("1000000", rate=turnover), tier(rate="0.2"), meter="omsetning"),
        charge("rull", "Kassaruller, hele esker", ChargeKind.USAGE, ChargeModel.PACKAGE, tier(unit="190", size="10"),
               meter="rull", package_rounding=Rounding.DOWN),
        addon("terminal", "Betalingsterminal", "399"),
        addon("telefon", "Telefonstøtte", "1290"),
    ]  # fmt: skip


# --- plans and offers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """Prices of a plan in one currency and interval. `months` 0 = by the week; `addons`: codes that it has."""

    plan: str
    terms: PriceTerms

    @property
    def months(self) -> int:
        """Months of the interval."""
        return self.terms.interval.months

    @property
    def calendar(self) -> bool:
        """Do periods follow the calendar?"""
        return self.terms.alignment is Alignment.CALENDAR

    @property
    def addons(self) -> tuple[str, ...]:
        """Codes of the add-ons."""
        return tuple(one.code for one in self.terms.charges if one.kind is ChargeKind.ADDON)

    @property
    def has_seats(self) -> bool:
        """Does the quantity matter?"""
        return any(one.kind is ChargeKind.SEAT for one in self.terms.charges)


PLANS = [  # code, name, rank, description
    ("hytte", "Hytte", 5, "Varsler og kamera for hytta, uke for uke"),
    ("hjem", "Hjem", 10, "Bilder og dokumenter for én husstand"),
    ("familie", "Familie", 20, "Hjem for hele familien, med utskrifter"),
    ("kontor", "Kontor", 30, "Digitalt kontor for bedrifter, per bruker"),
    ("handel", "Handel", 40, "Betaling, meldinger og API for butikker"),
    ("kjede", "Kjede", 50, "Handel for kjeder med flere utsalgssteder"),
]
SEATS_NOK = ("129", "109", "89")
OFFERS: dict[str, Offer] = {
    "hjem": Offer("hjem", consumer(MONTHLY, *home("79"), trial_days=14)),
    "hjem år": Offer("hjem", consumer(YEARLY, *home("790", 10))),
    "hjem halvår": Offer("hjem", consumer(HALF_YEARLY, *home("429", 6))),
    "familie": Offer("familie", consumer(MONTHLY, *family("149"))),
    "familie år": Offer("familie", consumer(YEARLY, *family("1490", 10))),
    "hytte": Offer("hytte", consumer(WEEKLY, *cabin())),
    "kontor": Offer("kontor", business(MONTHLY, *office(SEATS_NOK, "199", support="490", setup="1500"))),
    "kontor kvartal": Offer("kontor", business(QUARTERLY, *office(("369", "309", "255"), "569", support="1390", setup="1500", fruit="747"))),
    "kontor år": Offer("kontor", business(YEARLY, *office(("1290", "1090", "890"), "1990", support="4900", setup="0", fruit="2988"), own_day=True)),
    "kontor SEK": Offer("kontor", business(MONTHLY, *office(("135", "115", "95"), "205", support="510", setup="1600"), currency="SEK")),
    "kontor EUR": Offer("kontor", business(MONTHLY, *office(("11.90", "9.90", "8.20"), "17.50", support="44", setup="135", storage="0.035", fruit="22"), currency="EUR")),
    "handel": Offer("handel", business(MONTHLY, *shop(), minimum="990")),
    "kjede": Offer("kjede", business(QUARTERLY, *chain("4990", "0.8"), minimum="9000")),
}  # fmt: skip
NAMES = list(OFFERS)

# Two price changes. New customers get the new prices at once; `migrated`: existing ones follow later, the others keep theirs.
DEARER_OFFICE = business(MONTHLY, *office(("139", "117", "95"), "219", support="490", setup="1500"))
DEARER_HOME = consumer(MONTHLY, *home("89"), trial_days=14)


COUPONS: list[dict[str, Any]] = [
    {"code": "VELKOMMEN", "name": "Halv pris i tre perioder", "kind": "percent", "rate_ppm": 500_000, "duration": "periods",
     "periods": 3, "scope": "plan"},
    {"code": "SOMMER", "name": "Sommerrabatt på hele fakturaen", "kind": "percent", "rate_ppm": 200_000,
     "duration": "once", "scope": "invoice"},
    {"code": "GRÜNDER", "name": "1 000 kroner til nystartede", "kind": "amount", "amount_minor": 100_000, "currency": "NOK",
     "duration": "once", "scope": "plan"},
    {"code": "STUDENT", "name": "Student, så lenge det varer", "kind": "percent", "rate_ppm": 250_000, "duration": "forever",
     "scope": "plan"},
    {"code": "BRUKER10", "name": "10 % på brukere i et år", "kind": "percent", "rate_ppm": 100_000, "duration": "periods",
     "periods": 12, "scope": "charge", "charge_code": "bruker"},
    {"code": "TILBAKE", "name": "Velkommen tilbake", "kind": "percent", "rate_ppm": 300_000, "duration": "periods",
     "periods": 6, "scope": "plan"},
]  # fmt: skip
