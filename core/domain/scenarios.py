"""A pricing change as somebody imagines it: new prices, whom they reach, when, within which limits, and what is assumed.

Frozen and complete: the same scenario on the same data gives the same numbers. As text it is TOML (`seed/scenarios/`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.money import parse_decimal
from core.domain.price_form import TIER_CELLS

LONGEST_HORIZON = 120
MOST_WAVES = 12
_COST = {
    "removed",
    "model",
    "tiers",
    "included_units",
    "min_amount",
    "max_amount",
    *TIER_CELLS,
}  # columns that say what a charge costs


class Existing(StrEnum):
    """When those who subscribe already get the new prices."""

    NEVER = "never"  # grandfathered: only new customers pay them
    RENEWAL = "renewal"  # at their next renewal
    DATE = "date"  # on a day


class Step(StrEnum):
    """What happens to a scenario."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"
    ROLLED_OUT = "rolled_out"
    STOPPED = "stopped"


class WhyNot(StrEnum):
    """Why a subscription of the plan keeps its prices."""

    AGREED = "agreed"
    OUT_OF_SCOPE = "out_of_scope"
    EXEMPT = "exempt"
    KEEPS = "keeps"
    LEAVING = "leaving"
    PLANNED = "planned_already"
    HOLD_OUT = "hold_out"
    NOT_SERVED = "not_served"


class Assumption(StrEnum):
    """What is assumed of customers; the numbers stand in `calc/simulation/response.py` and `value.py`."""

    KAPPA = "kappa"
    KAPPA_SPREAD = "kappa_spread"
    RHO = "rho"
    HALF_LIFE = "half_life"
    NOTICE = "notice"
    CUTS = "cuts"
    ACQUISITION = "acquisition"
    USAGE = "usage_elasticity"
    CHOICE = "choice"
    INERTIA = "inertia"
    ATTENTION = "attention"
    ATTENTION_AFTER_NOTICE = "attention_after_notice"
    SPILL_OVER = "spill_over"
    HAZARD_SHIFT = "hazard_shift"


@dataclass(frozen=True)
class Edit:
    """One cell of the prices that changes: `charge`.`column` of tier `tier` (from 0) becomes `value`, as people type it.

    Without a charge it is a cell of the whole price list. Charges and tiers come and go by edits too (`domain.price_edits`).
    """

    charge: str
    column: str
    value: str
    tier: int = 0


@dataclass(frozen=True)
class Scenario:
    """Everything that the numbers follow from. Shares in millionths.

    `plan`, `currency`, `interval`: whose prices change. `edits` and `bundled` (codes of add-ons that cost nothing any more) make the
    new prices from the newest published ones. `kinds`, `countries`, `only`, `without` (customer
    ids): the scope, empty = everybody; `agreed_too`: agreed prices change as well. `alternatives`: plans that customers may change to
    instead (None: all that customers of their kind have). `from_on`: from which day new customers pay;
    `existing` and its `existing_on`; `notice_days`: at least so long before (the company's minimum applies too); `waves`,
    `wave_months`. `hold_out_ppm`: the share of those in scope who keep their prices, drawn by `seed`, so that the effect can be measured;
    `stop_months`: so many months below the predicted band in a row say that the next wave should wait. `cap_ppm`, `floor_ppm`: limits of rise and fall; `exempt`, `capped`: customers who are spared, or limited by
    `cap_one_ppm`. `assumptions`: numbers of the reaction that differ from the defaults; `notes`: why. `horizon_months`,
    `discount_ppm` (a year), `unit_cost` a month, `seed`.
    """

    name: str
    plan: str
    currency: str
    interval: str = "month"
    edits: tuple[Edit, ...] = ()
    bundled: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    agreed_too: bool = False
    alternatives: tuple[str, ...] | None = None
    from_on: date | None = None
    existing: Existing = Existing.RENEWAL
    existing_on: date | None = None
    notice_days: int = 30
    waves: int = 1
    wave_months: int = 1
    hold_out_ppm: int = 0
    stop_months: int = 2
    cap_ppm: int | None = None
    floor_ppm: int | None = None
    exempt: tuple[str, ...] = ()
    capped: tuple[str, ...] = ()
    cap_one_ppm: int = 100_000
    assumptions: tuple[tuple[str, float], ...] = ()
    notes: str = ""
    horizon_months: int = 24
    discount_ppm: int = 100_000
    unit_cost: str = "0"
    seed: int = 1
    window_months: int = field(default=12)


def kept_edits(scenario: Scenario) -> tuple[Edit, ...]:
    """The edits that count: an add-on that is included for nothing stays on the list, whatever else it was to cost."""
    return tuple(edit for edit in scenario.edits if edit.column not in _COST or edit.charge not in scenario.bundled)


def check(scenario: Scenario) -> None:
    """Refuse what cannot be simulated."""
    if not 1 <= scenario.horizon_months <= LONGEST_HORIZON:
        raise InvalidInput("A horizon lasts 1 to {most} months", code="bad_horizon", most=LONGEST_HORIZON)
    if not 1 <= scenario.waves <= MOST_WAVES or (scenario.waves > 1 and scenario.wave_months < 1):
        raise InvalidInput("Waves are 1 to {most}, at least a month apart", code="bad_waves", most=MOST_WAVES)
    if scenario.waves > 1 and scenario.existing is Existing.NEVER:
        raise InvalidInput("Nobody who subscribes already is moved, so there are no waves", code="waves_for_nobody")
    if scenario.existing is Existing.DATE and scenario.existing_on is None:
        raise InvalidInput("Say on which day existing customers get the new prices", code="no_day")
    if not 0 <= scenario.hold_out_ppm <= 500_000:
        raise InvalidInput("A hold-out is at most half of the customers", code="bad_hold_out")
    if not 1 <= scenario.stop_months <= 12:
        raise InvalidInput("A stop rule looks at 1 to 12 months", code="bad_stop_rule")
    if scenario.notice_days < 0:
        raise InvalidInput("A notice takes zero or more days", code="bad_notice")
    for share in (scenario.cap_ppm, scenario.floor_ppm, scenario.cap_one_ppm):
        if share is not None and not 0 <= share <= 10_000_000:
            raise InvalidInput("A limit lies between 0 and 1000 %", code="bad_limit")
    if set(scenario.only) & set(scenario.without):
        raise InvalidInput("A customer is both chosen and left out", code="scope_contradicts")
    if not scenario.name.strip():
        raise InvalidInput("Give the scenario a name", code="no_name")
    parse_decimal(scenario.unit_cost or "0")


def to_json(scenario: Scenario) -> dict[str, Any]:
    """Plain data, days as text."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(scenario).items()}


def from_json(content: Mapping[str, Any]) -> Scenario:
    """A scenario from plain data; an unknown name is refused."""
    known = dict(content)
    unknown = sorted(set(known) - set(Scenario.__dataclass_fields__) - {"minimum"})
    if unknown:
        raise InvalidInput("A scenario has no “{name}”", code="unknown_field", name=unknown[0])
    for name in ("name", "plan", "currency"):
        if not str(known.get(name, "")).strip():
            raise InvalidInput("The scenario does not say its {name}", code="missing_field", name=name)
    minimum = str(known.pop("minimum", ""))  # as older files say it
    least = (Edit("", "minimum_commitment", minimum),) if minimum else ()
    known["edits"] = (*least, *(_edit(edit) for edit in known.get("edits", ())))
    known["assumptions"] = tuple((str(name), float(value)) for name, value in _pairs(known.get("assumptions", ())))
    for name in ("bundled", "kinds", "countries", "only", "without", "exempt", "capped"):
        known[name] = tuple(str(value) for value in known.get(name, ()))
    if known.get("alternatives") is not None:
        known["alternatives"] = tuple(str(value) for value in known["alternatives"])
    for name in ("from_on", "existing_on"):
        given = known.get(name)
        known[name] = date.fromisoformat(given) if isinstance(given, str) else given
    try:
        known["existing"] = Existing(known.get("existing", Existing.RENEWAL))
    except ValueError:
        raise InvalidInput("Existing customers change never, at renewal or on a date", code="bad_existing") from None
    known["unit_cost"] = str(known.get("unit_cost", "0"))
    try:
        scenario = Scenario(**known)
    except TypeError:
        raise InvalidInput("The scenario cannot be read", code="bad_scenario") from None
    check(scenario)
    return scenario


def _pairs(given: Any) -> Any:
    return given.items() if isinstance(given, Mapping) else given


def _edit(given: Any) -> Edit:
    try:
        return Edit(str(given["charge"]), str(given["column"]), str(given["value"]), int(given.get("tier", 0)))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidInput("An edit names a charge, a column and a value", code="bad_edit") from None


def from_toml(text: str) -> Scenario:
    """A scenario file."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("The scenario is not TOML: {reason}", code="bad_toml", reason=str(error)) from None
    return from_json(content)


def needs_note(scenario: Scenario) -> bool:
    """Was an assumption changed by hand without saying why? A κ that comes with its spread was estimated and says it itself."""
    names = {name for name, _ in scenario.assumptions}
    if Assumption.KAPPA_SPREAD in names:
        names -= {Assumption.KAPPA, Assumption.KAPPA_SPREAD}
    return bool(names) and not scenario.notes.strip()


def unit_cost(scenario: Scenario) -> Decimal:
    """Cost of a customer a month, in major units."""
    return parse_decimal(scenario.unit_cost or "0")
