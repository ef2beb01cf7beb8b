"""The input of a worked case, which notices what nobody has read: an unknown key must never be ignored."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from core.domain.money import to_exact_minor, to_major, to_minor
from core.domain.periods import Interval, Unit

Answer = dict[str, Any]


class OutOfScope(Exception):
    """The case asks for a rule that billing.md leaves out; says which."""


class Given:
    """A JSON object of a case; every read marks its key."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._read: set[str] = set()
        self._parts: list[Given] = []

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def any(self, key: str, default: Any = None) -> Any:
        """The value as it stands; null counts as missing."""
        self._read.add(key)
        value = self._values.get(key)
        return default if value is None else value

    def text(self, key: str, default: str | None = None) -> str | None:
        """A number as decimal text."""
        value = self.any(key, default)
        return None if value is None else str(value)

    def decimal(self, key: str, default: str = "0") -> Decimal:
        """A number."""
        return Decimal(str(self.any(key, default)))

    def count(self, key: str, default: int = 0) -> int:
        """A whole number."""
        return int(self.any(key, default))

    def day(self, key: str) -> date:
        """A date that must be there."""
        found = self.day_or_none(key)
        if found is None:
            raise ValueError(f"the case needs {key}")
        return found

    def day_or_none(self, key: str) -> date | None:
        """A date or nothing."""
        value = self.any(key)
        return None if value is None else date.fromisoformat(value)

    def minor(self, key: str, currency: str, default: str = "0") -> int:
        """An amount of the currency, exactly."""
        return to_exact_minor(self.decimal(key, default), currency)

    def rounded_minor(self, key: str, currency: str) -> int:
        """An amount that the product rounds first."""
        return to_minor(self.decimal(key), currency)

    def part(self, key: str) -> Given | None:
        """A nested object or nothing."""
        value = self.any(key)
        return None if value is None else self._child(value)

    def rows(self, key: str) -> list[Given]:
        """A list of objects."""
        return [self._child(value) for value in self.any(key, [])]

    def one_of(self, key: str, *allowed: Any) -> Any:
        """A word that must be one of these; the first is the default."""
        value = self.any(key, allowed[0])
        if value not in allowed:
            raise ValueError(f"{key} = {value} is not known")
        return value

    def interval(self, key: str = "interval") -> Interval:
        """A billing interval {unit, count}."""
        part = self.part(key)
        if part is None:
            raise ValueError(f"the case needs {key}")
        unit, times = part.any("unit"), part.count("count", 1)
        months = {"quarter": 3, "half_year": 6}.get(unit)
        return Interval(Unit.MONTH, months * times) if months else Interval(Unit(unit), times)

    def unread(self) -> list[str]:
        """Keys that nobody has asked for, here and inside."""
        own = [key for key, value in self._values.items() if key not in self._read and value is not None]
        return own + [key for part in self._parts for key in part.unread()]

    def _child(self, value: dict[str, Any]) -> Given:
        child = Given(value)
        self._parts.append(child)
        return child


def money(amount_minor: int, currency: str) -> str:
    """Minor units as the cases write them."""
    return str(to_major(int(amount_minor), currency))
