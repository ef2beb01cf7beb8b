"""The accounts that documents and payments post to. Debit is positive, credit negative; an entry sums to zero per currency."""

from __future__ import annotations

from enum import StrEnum


class Account(StrEnum):
    """Accounts by their Norwegian standard numbers (NS 4102)."""

    RECEIVABLE = "1500"
    BANK = "1920"
    VAT = "2700"
    REVENUE = "3000"
    REVENUE_EXEMPT = "3100"
