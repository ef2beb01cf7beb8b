"""Money as integers in minor units, decimals at the edge.

Units: `*_minor` is an integer number of the currency's minor unit (ISO 4217 exponent: NOK 2, JPY 0, KWD 3).
Rounding is half away from zero, once (billing.md section 1). Amounts of different currencies are never added.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from core.domain.errors import InvalidInput

# ISO 4217 exponents. Every currency a price version, an invoice or an import may use.
EXPONENTS: dict[str, int] = {
    "NOK": 2, "SEK": 2, "DKK": 2, "EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "PLN": 2, "CZK": 2, "HUF": 2,
    "RON": 2, "BGN": 2, "CAD": 2, "AUD": 2, "NZD": 2, "INR": 2, "CNY": 2, "HKD": 2, "SGD": 2, "THB": 2,
    "ZAR": 2, "BRL": 2, "MXN": 2, "TRY": 2, "ILS": 2, "AED": 2, "SAR": 2, "UAH": 2, "PHP": 2, "IDR": 2,
    "ARS": 2, "COP": 2, "PEN": 2, "EGP": 2, "NGN": 2, "KES": 2, "MAD": 2, "QAR": 2, "MYR": 2, "TWD": 2,
    "JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "PYG": 0, "UGX": 0, "XAF": 0, "XOF": 0,
    "XPF": 0, "RWF": 0, "BIF": 0, "DJF": 0, "GNF": 0, "KMF": 0, "VUV": 0,
    "KWD": 3, "BHD": 3, "JOD": 3, "OMR": 3, "TND": 3, "IQD": 3, "LYD": 3,
}  # fmt: skip

PRICE_PLACES = 12  # decimals a unit price may have
QUANTITY_PLACES = 6  # decimals a quantity may have
MAX_MINOR = 2**63 - 1  # what a 64-bit column holds


def exponent_of(currency: str) -> int:
    """Number of decimals of the currency's minor unit; refuses an unknown currency."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise InvalidInput(
            "The currency {currency} is not known", code="unknown_currency", currency=currency,
            hint="Use a three-letter code such as NOK, SEK, DKK, EUR, USD, JPY or KWD.",
        ) from None  # fmt: skip


def parse_decimal(text: str, *, places: int = PRICE_PLACES) -> Decimal:
    """A decimal number as people type it ("1 299,50" or "1299.50"); refuses words, infinities and too many decimals."""
    cleaned = text.strip().replace("\u00a0", "").replace("\u202f", "").replace(" ", "").replace("\u2212", "-")
    if "," in cleaned and "." not in cleaned:
        cleaned = cleaned.replace(",", ".")
    if not cleaned:
        raise InvalidInput("A number is missing: fill in the empty field", code="no_number")
    try:
        value = Decimal(cleaned)
    except InvalidOperation:
        raise InvalidInput("“{text}” is not a number", code="not_a_number", text=text.strip()) from None
    if not value.is_finite():
        raise InvalidInput("“{text}” is not a number", code="not_a_number", text=text.strip())
    if decimals_of(value) > places:
        raise InvalidInput(
            "{text} has more than {places} decimals", code="too_many_decimals", text=text.strip(), places=places
        )
    return value


def decimals_of(value: Decimal) -> int:
    """How many decimals the number needs: 1.50 → 1, 100 → 0."""
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a finite number"
    return max(0, -exponent)


def to_minor(amount: Decimal, currency: str) -> int:
    """Major units → minor units, rounded half away from zero: 10.005 USD → 1001."""
    with localcontext() as context:
        context.prec = 60
        scaled = amount.scaleb(exponent_of(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    if abs(scaled) > MAX_MINOR:
        raise InvalidInput("The amount {amount} is too large", code="amount_too_large", amount=str(amount))
    return int(scaled)


def to_exact_minor(amount: Decimal, currency: str) -> int:
    """Major units → minor units without rounding; refuses an amount with more decimals than the currency has."""
    if decimals_of(amount) > exponent_of(currency):
        raise InvalidInput(
            "{amount} has more decimals than {currency} has", code="too_many_decimals",
            amount=str(amount), currency=currency,
        )  # fmt: skip
    return to_minor(amount, currency)


def to_major(amount_minor: int, currency: str) -> Decimal:
    """Minor units → major units, exactly: 1001 USD → 10.01."""
    return Decimal(amount_minor).scaleb(-exponent_of(currency))
