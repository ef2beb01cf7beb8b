"""Who comes, what they choose, and how likely they are to leave: the stated rates of the demo company.

A customer decides once in a billing period whether to leave (weekly plans: once a month). With monthly hazard
h = PLAN × TENURE × PAYMENT × CHANNEL × ONBOARDING × CONTACT × MIGRATION, a period of n months is left at its end with
probability 1 − (1 − h)^n. README.md states the same table for readers of the charts; tests/seed holds both to the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CONSUMER_SHARE = 0.70
CONSUMER_OFFERS = {
    "hjem": 0.44,
    "hjem år": 0.14,
    "hjem halvår": 0.05,
    "familie": 0.23,
    "familie år": 0.09,
    "hytte": 0.05,
}
BUSINESS_OFFERS = {
    "kontor": 0.38, "kontor kvartal": 0.10, "kontor år": 0.12, "kontor SEK": 0.07, "kontor EUR": 0.05, "handel": 0.22,
    "kjede": 0.06,
}  # fmt: skip
PAYMENTS = ["invoice", "efaktura", "direct_debit", "card", "bank_transfer"]
CONSUMER_PAYMENTS = [0.22, 0.23, 0.23, 0.32, 0.0]
BUSINESS_PAYMENTS = [0.58, 0.0, 0.12, 0.12, 0.18]
CHANNELS = ["email", "sms", "digital_mailbox", "einvoice", "paper"]
CONSUMER_CHANNELS = [0.48, 0.14, 0.22, 0.0, 0.16]
BUSINESS_CHANNELS = [0.42, 0.0, 0.05, 0.46, 0.07]
ONBOARDED_SHARE = {"consumer": 0.58, "business": 0.68}

# --- leaving --------------------------------------------------------------------------------------------------------

PLAN_HAZARD = {"hjem": 0.022, "familie": 0.014, "hytte": 0.030, "kontor": 0.010, "handel": 0.012, "kjede": 0.004}
TENURE = [(3, 2.0), (12, 1.0), (24, 0.7), (10_000, 0.5)]  # up to this many completed months, factor
PAYMENT_FACTOR = {"invoice": 1.0, "efaktura": 0.8, "direct_debit": 0.7, "card": 1.4, "bank_transfer": 1.1}
CHANNEL_FACTOR = {"email": 1.0, "sms": 1.1, "digital_mailbox": 0.85, "einvoice": 0.8, "paper": 1.25}
ONBOARDED_FACTOR = {True: 0.75, False: 1.35}
CONTACT_FACTOR = 1.6  # an unresolved contact in the 60 days before
MIGRATION_FACTOR = 1.4  # in the month of a price migration and the one after it
HIGHEST_HAZARD = 0.5
CONTACT_DAYS = 60

# Why service ended, by payment option: the customer's wish, payment that failed for good, our own decision, death.
CAUSES = ["voluntary", "involuntary", "staff", "death"]
CAUSE_SHARES = {
    "invoice": [0.76, 0.20, 0.02, 0.02], "efaktura": [0.90, 0.06, 0.02, 0.02], "direct_debit": [0.92, 0.04, 0.02, 0.02],
    "card": [0.63, 0.33, 0.02, 0.02], "bank_transfer": [0.80, 0.16, 0.02, 0.02],
}  # fmt: skip
REASONS = [
    "Bruker det for lite",
    "For dyrt",
    "Byttet leverandør",
    "Flyttet",
    "Savnet en funksjon",
    "Ville ikke si hvorfor",
]
TRIAL_LEAVERS = 0.15

# --- what else happens, per month -----------------------------------------------------------------------------------

UPGRADES = {"hjem": ("familie", 0.010), "kontor": ("handel", 0.006), "hjem år": ("familie år", 0.004)}
DOWNGRADES = {"familie": ("hjem", 0.004), "handel": ("kontor", 0.003)}
INTERVAL_CHANGES = {"hjem": ("hjem år", 0.003), "kontor": ("kontor kvartal", 0.003)}
SEAT_CHANGES = {"kontor": 0.05, "familie": 0.02, "kjede": 0.02}
ADDON_ADDED, ADDON_REMOVED = 0.012, 0.015
PAUSES = 0.004
REGRETS = 0.001  # cancelled, and taken back some days later; no leaver is among them
CONTACTS, UNRESOLVED = 0.07, 0.22
WIN_BACKS = 0.012  # of those who left by their own wish 2 to 12 months ago
EDITS = 0.008
COUPON_AT_START = 0.16
ONBOARDING_STEPS = [("welcome", 1), ("profile", 4), ("first_use", 10), ("settled", 25)]  # step, latest day
CONTACT_TOPICS = ["billing", "technical", "price", "usage", "invoice_question"]
CONTACT_KINDS = ["call", "email", "chat"]


def tenure_factor(months: Ints) -> Floats:
    """Factor by completed months since the first paid day."""
    bounds = [bound for bound, _ in TENURE]
    factors = np.array([factor for _, factor in TENURE])
    return factors[np.searchsorted(bounds, months, side="left")]


@dataclass(frozen=True)
class Traits:
    """What the stated hazard depends on, a row for each subscription."""

    plan: npt.NDArray[np.str_]
    months: Ints  # completed since the first paid day
    payment: npt.NDArray[np.str_]
    channel: npt.NDArray[np.str_]
    onboarded: Bools
    unresolved: Bools  # contact in the CONTACT_DAYS before
    migrated: Bools


def hazard(who: Traits) -> Floats:
    """Monthly probability of leaving, by the stated table."""
    factors = (
        looked_up(PLAN_HAZARD, who.plan),
        tenure_factor(who.months),
        looked_up(PAYMENT_FACTOR, who.payment),
        looked_up(CHANNEL_FACTOR, who.channel),
        np.where(who.onboarded, ONBOARDED_FACTOR[True], ONBOARDED_FACTOR[False]),
        np.where(who.unresolved, CONTACT_FACTOR, 1.0),
        np.where(who.migrated, MIGRATION_FACTOR, 1.0),
    )
    product: Floats = np.prod(factors, axis=0) if who.plan.size else np.zeros(0)
    return np.minimum(product, HIGHEST_HAZARD)


def looked_up(table: dict[str, float], keys: npt.NDArray[np.str_]) -> Floats:
    """The table's value of each key."""
    names = np.array(sorted(table))
    return np.array([table[str(name)] for name in names])[np.searchsorted(names, keys)]


def arrivals(customers: int, months: int, last_share: float) -> Ints:
    """How many customers come in each month: more every year, most in autumn; the last month may be a part."""
    at = np.arange(months)
    weights = (1 + 1.2 * at / max(1, months)) * (1 + 0.15 * np.sin(2 * np.pi * at / 12))
    weights[-1] *= last_share
    shares = np.floor(np.cumsum(weights) / weights.sum() * customers + 1e-9).astype(np.int64)
    shares[-1] = customers
    coming: Ints = np.diff(shares, prepend=0)
    return coming
