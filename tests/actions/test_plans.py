"""Plans, their drafts and their published prices, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from sqlalchemy import Engine

from core.actions import coupons, plans
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from core.domain.periods import MONTHLY, YEARLY, Timing
from core.domain.plans import Charge, ChargeKind, ChargeModel, EventTerms, PriceTerms, Tier
from core.domain.price_rules import check_terms
from core.store import catalogue, policies
from core.store.engine import reading
from core.store.tables import ChargeRow, Coupon, Person, Plan, PlanPolicy, PriceVersion, TierRow
from tests.world import NOW, World

KARI = Actor("Kari Nordmann", Role.PRODUCT)
OLA = Actor("Ola Bø", Role.PRODUCT)
JANUARY = date(2026, 1, 1)
FEE = Charge("fee", "Grunnpris", ChargeKind.FIXED, ChargeModel.FLAT, (Tier(None, flat_amount=D("299.00")),))
CALLS = Charge(
    "calls", "Samtaler", ChargeKind.USAGE, ChargeModel.GRADUATED,
    (Tier(D(100), D("0.50")), Tier(D(200), D("0.40")), Tier(None, D("0.123456789012"))),
    timing=Timing.ARREARS, meter="calls", included_units=D(10), max_amount=D(500), min_amount=D("1.50"),
)  # fmt: skip
PAYMENTS = Charge(
    "pay", "Betalinger", ChargeKind.USAGE, ChargeModel.PERCENTAGE, timing=Timing.ARREARS, meter="pay",
    events=EventTerms(D("2.9"), D("0.30"), 5, D(100), D("0.10"), D(10)),
)  # fmt: skip
TERMS = PriceTerms("NOK", MONTHLY, (FEE, CALLS, PAYMENTS), minimum_commitment=D("100.50"), trial_days=14)


class Catalogue:
    """Actions with command ids of their own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.world = World(engine)
        self.count = 0

    def act(self, action, actor=KARI, now=NOW, **content):
        self.count += 1
        return action(self.engine, actor, f"c{self.count}", now, **content)

    def plan(self, code="pro") -> int:
        return self.act(plans.create_plan, code=code, name="Pro", rank=2)["plan_id"]

    def draft(self, plan_id: int, terms=TERMS, actor=KARI, **more) -> int:
        return self.act(plans.save_draft, actor, plan_id=plan_id, terms=terms, **more)["price_version_id"]

    def publish(self, version_id: int, actor=KARI, valid_from=JANUARY):
        return self.act(plans.publish, actor, price_version_id=version_id, valid_from=valid_from)

    def terms(self, version_id: int) -> PriceTerms:
        with reading(self.engine) as session:
            return catalogue.terms_of(session, version_id)


@pytest.fixture
def shop(engine: Engine) -> Catalogue:
    return Catalogue(engine)


def test_what_is_saved_is_read_back_exactly_as_typed(shop):
    version = shop.draft(shop.plan())
    assert shop.terms(version) == TERMS
    assert str(shop.terms(version).charges[0].tiers[0].flat_amount) == "299.00"
    [row] = [row for row in shop.world.rows(TierRow) if row.unit_amount.startswith("0.123")]
    assert row.unit_amount == "0.123456789012"


def test_a_draft_may_be_unsound_but_cannot_be_published(shop):
    crossed = replace(CALLS, tiers=(Tier(D(100), D(1)), Tier(D(200), D(1)), Tier(D(100), D(1)), Tier(None, D(1))))
    version = shop.draft(shop.plan(), replace(TERMS, charges=(crossed,)))
    with pytest.raises(InvalidInput, match="Tier 3 ends at 100, but tier 2 already ends at 200"):
        shop.publish(version)
    assert shop.world.rows(PriceVersion)[0].status == "draft"


def test_a_draft_is_replaced_whole_and_a_new_interval_gets_its_own_number(shop):
    plan = shop.plan()
    first, second = shop.draft(plan), shop.draft(plan)
    assert [row.number for row in shop.world.rows(PriceVersion)] == [1, 2]
    shop.draft(plan, replace(TERMS, charges=(FEE,), interval=YEARLY), price_version_id=second)
    assert shop.terms(second).charges == (FEE,)
    assert [row.number for row in shop.world.rows(PriceVersion)] == [1, 1]
    assert shop.terms(first) == TERMS


def test_a_draft_that_somebody_else_saved_meanwhile_is_not_overwritten(shop):
    plan = shop.plan()
    version = shop.draft(plan)
    later = NOW + timedelta(minutes=5)
    shop.act(plans.save_draft, OLA, later, plan_id=plan, terms=TERMS, price_version_id=version, seen_at=NOW)
    with pytest.raises(Conflict, match="Ola Bø has saved this draft meanwhile"):
        shop.draft(plan, price_version_id=version, seen_at=NOW)


def test_published_prices_are_frozen_and_retired_ones_stay_readable(shop):
    plan = shop.plan()
    version = shop.draft(plan)
    assert shop.publish(version) == {"price_version_id": version, "number": 1}
    with pytest.raises(Conflict, match="These prices are published already"):
        shop.draft(plan, price_version_id=version)
    with pytest.raises(Conflict, match="These prices are published already"):
        shop.act(plans.discard_draft, price_version_id=version)
    shop.act(plans.retire, price_version_id=version)
    [row] = shop.world.rows(PriceVersion)
    assert (row.status, row.published_by, row.valid_from) == ("retired", "Kari Nordmann", JANUARY)
    assert shop.terms(version) == TERMS


def test_a_discarded_draft_leaves_nothing(shop):
    version = shop.draft(shop.plan())
    shop.act(plans.discard_draft, price_version_id=version)
    assert [shop.world.rows(model) for model in (PriceVersion, ChargeRow, TierRow)] == [[], [], []]


def test_the_first_prices_need_one_person_and_a_price_change_needs_two(shop):
    plan = shop.plan()
    first = shop.draft(plan)
    shop.publish(first)
    second = shop.draft(plan)
    shop.publish(second)  # nobody has the plan yet
    shop.world.start(shop.world.customer(), first, JANUARY)
    change = shop.draft(plan)
    with pytest.raises(NotPermitted, match="another person must publish it"):
        shop.publish(change)
    shop.publish(change, OLA)
    shop.publish(shop.draft(plan, actor=SYSTEM), SYSTEM)


def test_a_plan_whose_subscribers_have_all_left_needs_one_person(shop):
    plan = shop.plan()
    first = shop.draft(plan)
    shop.publish(first)
    subscription = shop.world.start(shop.world.customer(), first, date(2025, 1, 1))
    shop.world.change(subscription, "cancel", date(2025, 6, 1))
    shop.publish(shop.draft(plan))


def test_prices_cannot_be_valid_before_the_prices_they_follow(shop):
    plan = shop.plan()
    shop.publish(shop.draft(plan), valid_from=date(2026, 3, 1))
    with pytest.raises(Conflict, match="already published from 2026-03-01"):
        shop.publish(shop.draft(plan), valid_from=date(2026, 2, 1))
    shop.publish(shop.draft(plan, replace(TERMS, interval=YEARLY)), valid_from=date(2026, 2, 1))


def test_an_archived_plan_publishes_nothing(shop):
    plan = shop.plan()
    version = shop.draft(plan)
    shop.act(plans.archive_plan, plan_id=plan, archived=True)
    with pytest.raises(Conflict, match="The plan Pro is archived"):
        shop.publish(version)
    shop.act(plans.archive_plan, plan_id=plan, archived=False)
    shop.publish(version)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"currency": "XXX"}, "The currency XXX is not known"),
        ({"charges": (FEE, FEE)}, "Two charges are called fee"),
        ({"charges": (replace(FEE, name="nul\0"),)}, "characters that cannot be read"),
        ({"charges": (replace(FEE, tiers=(Tier(None, flat_amount=D("1e40")),)),)}, "too many digits"),
        ({"minimum_commitment": D("1.005")}, "1.005 has more decimals than NOK has"),
        ({"trial_days": 400}, "A trial lasts 0 to 366 days"),
    ],
)
def test_what_no_draft_can_hold_is_refused_in_one_sentence_and_nothing_is_stored(shop, changed, sentence):
    plan = shop.plan()
    with pytest.raises(InvalidInput, match=sentence):
        shop.draft(plan, replace(TERMS, **changed))
    assert shop.world.rows(PriceVersion) == shop.world.rows(ChargeRow) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ((), "Add at least one charge"),
        ((replace(CALLS, tiers=(Tier(None, D(1)), Tier(None, D(1)))),), "Tier 1 is open, so the tiers after it are never reached"),
        ((replace(CALLS, tiers=(Tier(D(5), D(1)),)),), "The last tier must be open: leave its upper bound empty"),
        ((replace(CALLS, tiers=(Tier(None, D("0.1234567890123")),)),), "Tier 1: prices have at most 12 decimals"),
        ((replace(CALLS, tiers=(Tier(D("0.1234567"), D(1)), Tier(None))),), "Tier 1: quantities have at most 6 decimals"),
        ((replace(CALLS, tiers=(Tier(D(0), D(1)), Tier(None))),), "Tier 1 must end above zero, not at 0"),
        ((replace(CALLS, tiers=(Tier(None, D(-1)),)),), "Tier 1: a price cannot be negative; use a coupon for a reduction"),
        ((replace(CALLS, max_amount=D(1)),), "The cap 1 is below the minimum 1.50"),
        ((replace(CALLS, max_amount=D("9.999")),), "9.999 has more decimals than NOK has"),
        ((replace(FEE, name="=1+1"),), "“=1+1” would be read as a formula in a spreadsheet: begin the name with a letter or a digit"),
        ((replace(FEE, name="<b>Pro</b>"),), "“<b>Pro</b>” looks like markup: write the name without < and >"),
        ((replace(PAYMENTS, events=EventTerms(D(1), min_per_event=D(3), max_per_event=D(2))),), "The most per event, 2, is below the least, 3"),
    ],
)  # fmt: skip
def test_every_fault_of_a_draft_has_its_sentence(changed, sentence):
    assert [finding.sentence() for finding in check_terms(replace(TERMS, charges=changed))] == [sentence]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"code": "", "name": "Pro"}, "A code is needed"),
        ({"code": "a?b=c", "name": "Pro"}, "is no code"),
        ({"code": "pro", "name": "=1+1"}, "read as a formula"),
        ({"code": "pro", "name": "<script>"}, "looks like markup"),
        ({"code": "pro", "name": "Pro\0"}, "cannot be read"),
        ({"code": "pro", "name": "x" * 201}, "at most 200 characters"),
        ({"code": "pro", "name": "Pro", "rank": 2**40}, "The rank must lie between"),
    ],
)
def test_a_plan_with_a_bad_code_or_name_is_refused(shop, content, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        shop.act(plans.create_plan, **content)
    assert shop.world.rows(Plan) == []


def test_a_plan_is_edited_in_what_is_given_and_its_code_is_its_own(shop):
    plan = shop.plan()
    shop.act(plans.edit_plan, plan_id=plan, description="For small teams", rank=5)
    [row] = shop.world.rows(Plan)
    assert (row.name, row.description, row.rank) == ("Pro", "For small teams", 5)
    with pytest.raises(Conflict, match="already a plan with the code pro"):
        shop.plan()
    with pytest.raises(NotFound):
        shop.act(plans.edit_plan, plan_id=99, rank=1)


def test_a_policy_is_dated_and_keeps_what_is_not_given(shop):
    plan = shop.plan()
    shop.act(plans.set_policy, plan_id=plan, effective_from=JANUARY, notice_days=30)
    shop.act(plans.set_policy, plan_id=plan, effective_from=date(2026, 7, 1), cancel_credit="credit")
    with reading(shop.engine) as session:
        days = [date(2025, 12, 31), JANUARY, date(2026, 7, 1)]
        found = [policies.policy_on(session, plan, day) for day in days]
    assert [(policy["notice_days"], policy["cancel_credit"]) for policy in found] == [
        (0, "none"), (30, "none"), (30, "credit"),
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="is no choice here"):
        shop.act(plans.set_policy, plan_id=plan, effective_from=JANUARY, upgrade_when="never")
    with pytest.raises(InvalidInput, match="between 0 and 366"):
        shop.act(plans.set_policy, plan_id=plan, effective_from=JANUARY, notice_days=-1)
    assert len(shop.world.rows(PlanPolicy)) == 2


def test_an_agreed_price_has_a_reason_an_expiry_and_another_approver(shop):
    plan = shop.plan()
    version = shop.draft(plan)
    shop.publish(version)
    subscription = shop.world.start(shop.world.customer(), version, JANUARY)
    shop.world.add(Person, name="Ola Bø", email="ola@forbli.no", role="product")
    shop.world.add(Person, name="Vera Vik", email="vera@forbli.no", role="viewer")
    agreed = {"subscription_id": subscription, "terms": replace(TERMS, charges=(FEE,)), "reason": "Ten years with us"}
    for approver, sentence in ((KARI.name, "cannot approve your own"), ("Vera Vik", "nobody who may approve")):
        with pytest.raises(NotPermitted, match=sentence):
            shop.act(plans.negotiate, **agreed, approved_by=approver)
    with pytest.raises(Conflict, match="billed in NOK"):
        shop.act(plans.negotiate, **{**agreed, "terms": replace(TERMS, currency="SEK")}, approved_by="Ola Bø")
    with pytest.raises(InvalidInput, match="Say why"):
        shop.act(plans.negotiate, **{**agreed, "reason": " "}, approved_by="Ola Bø")
    made = shop.act(plans.negotiate, **agreed, approved_by="Ola Bø", expires_on=date(2027, 1, 1))
    row = next(row for row in shop.world.rows(PriceVersion) if row.id == made["price_version_id"])
    assert (row.status, row.subscription_id, row.approved_by) == ("published", subscription, "Ola Bø")
    assert row.plan_id == plan


def test_viewers_and_support_cannot_touch_prices(shop):
    plan = shop.plan()
    for role in (Role.VIEWER, Role.SUPPORT, Role.FINANCE):
        with pytest.raises(NotPermitted):
            shop.draft(plan, actor=Actor("Per", role))


def test_a_coupon_is_made_once_and_refused_when_it_gives_nothing(shop):
    made = shop.act(
        coupons.create_coupon,
        code="SOMMER",
        name="Sommer",
        kind="percent",
        rate_ppm=200_000,
        duration="periods",
        periods=3,
    )
    assert shop.world.rows(Coupon)[0].rate_ppm == 200_000
    shop.act(coupons.archive_coupon, coupon_id=made["coupon_id"])
    assert shop.world.rows(Coupon)[0].archived
    bad = [
        ({"kind": "percent", "rate_ppm": 0}, "above 0 and not beyond 100"),
        ({"kind": "percent", "rate_ppm": 1_000_001}, "above 0 and not beyond 100"),
        ({"kind": "amount", "amount_minor": 100, "currency": "ABC"}, "The currency ABC is not known"),
        ({"kind": "amount", "amount_minor": 0, "currency": "NOK"}, "must lie above 0"),
        ({"kind": "percent", "rate_ppm": 1, "duration": "periods", "periods": 0}, "lasts 1 to 1200 periods"),
        ({"kind": "percent", "rate_ppm": 1, "scope": "charge"}, "which charge"),
        ({"kind": "percent", "rate_ppm": 1, "valid_from": JANUARY, "valid_to": JANUARY}, "end before it begins"),
    ]
    for content, sentence in bad:
        with pytest.raises(InvalidInput, match=sentence):
            shop.act(coupons.create_coupon, code="X", name="X", **content)
    with pytest.raises(Conflict, match="already a coupon"):
        shop.act(coupons.create_coupon, code="SOMMER", name="S", kind="percent", rate_ppm=1)


def test_the_same_command_twice_makes_one_draft(shop):
    plan = shop.plan()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    answers = [plans.save_draft(shop.engine, KARI, "once", now, plan_id=plan, terms=TERMS) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(shop.world.rows(PriceVersion)) == 1
