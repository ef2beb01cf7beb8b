"""What those who stay change: plan, quantity, add-ons, pauses, a cancellation taken back, how they pay and read."""

from __future__ import annotations

import numpy as np
import polars as pl

from core.actions.customers import edit_customers
from core.actions.subscriptions import cancel, change_addon, change_price, change_quantity, pause, undo
from seed import archetypes, happenings, names
from seed.archetypes import Bools
from seed.book import NEVER
from seed.month import Month

MICRO = 10**6
DAY = np.timedelta64(1, "D")
MIGRATED_AFTER = 3  # months after the dearer price came


def change(turn: Month) -> None:
    """Changes of those who were served the whole month and stay."""
    subs = turn.subs
    steady = (subs["ends"] == NEVER) & (subs["begins"] < turn.first) & (subs["paused_until"] <= turn.first)
    _migrate(turn, steady)
    _change_plans(turn, steady)
    _change_quantities(turn, steady)
    _change_addons(turn, steady)
    _pause(turn, steady)
    _regret(turn, steady)
    _edit(turn, steady)


def _migrate(turn: Month, steady: Bools) -> None:
    """Homes on the old price move to the new one at their next boundary, some months after it came."""
    if turn.month != turn.life.dearer_home + MIGRATED_AFTER:
        return
    subs, new = turn.subs, turn.life.sold.versions["hjem"]
    where = turn.drawn(steady, 1.0, (subs["offer"] == "hjem") & (subs["version"] != new))
    day = turn.ticks()[where]
    turn.send(change_price, "migration", subscription_id=subs["id"][where],
              price_version_id=np.full(len(where), new), effective_on=day)  # fmt: skip
    subs["version"][where], subs["migrated_on"][where] = new, day


def _change_plans(turn: Month, steady: Bools) -> None:
    """Upgrades at once, downgrades and other intervals at the boundary; only without add-ons or own prices."""
    subs = turn.subs
    free = (subs["addon"] == "") & ~subs["own_price"]
    rows, offers, days = [], [], []
    for table, at_boundary in (
        (archetypes.UPGRADES, False), (archetypes.DOWNGRADES, True), (archetypes.INTERVAL_CHANGES, True),
    ):  # fmt: skip
        for offer, (target, chance) in table.items():
            where = turn.drawn(steady, chance, free & (subs["offer"] == offer))
            rows.append(where)
            offers.append(np.full(len(where), target, dtype="U16"))
            days.append(turn.ticks()[where] if at_boundary else turn.some_day(len(where)))
    where, chosen = np.concatenate(rows), np.concatenate(offers)
    version = np.array([turn.life.sold.versions[str(one)] for one in chosen], dtype=np.int64)
    turn.send(change_price, "plan", subscription_id=subs["id"][where], price_version_id=version,
              effective_on=np.concatenate(days))  # fmt: skip
    subs["offer"][where], subs["version"][where] = chosen, version


def _change_quantities(turn: Month, steady: Bools) -> None:
    """More seats more often than fewer."""
    subs = turn.subs
    chance = np.zeros(len(subs))
    plan = happenings.of_offer(subs["offer"], "plan")
    for name, value in archetypes.SEAT_CHANGES.items():
        chance[plan == name] = value
    where = turn.drawn(steady, chance)
    step = np.where(turn.rng.random(len(where)) < 0.68, 1, -1) * turn.rng.integers(1, 4, len(where))
    quantity = np.maximum(subs["quantity"][where] + step, 1)
    changed = quantity != subs["quantity"][where]
    where, quantity = where[changed], quantity[changed]
    turn.send(change_quantity, "quantity", subscription_id=subs["id"][where], quantity_micro=quantity * MICRO,
              effective_on=turn.some_day(len(where)))  # fmt: skip
    subs["quantity"][where] = quantity


def _change_addons(turn: Month, steady: Bools) -> None:
    """One add-on at a time, taken or given up."""
    subs = turn.subs
    added = turn.drawn(steady, archetypes.ADDON_ADDED, subs["addon"] == "")
    removed = turn.drawn(steady, archetypes.ADDON_REMOVED, subs["addon"] != "")
    code = happenings.addons(turn.rng, subs["offer"][added])
    many = turn.rng.integers(1, 4, len(added)) * (code != "telefon") + (code == "telefon")
    where = np.concatenate([added, removed])
    turn.send(
        change_addon, "addon", subscription_id=subs["id"][where],
        item=np.concatenate([code, subs["addon"][removed]]).astype("U16"),
        quantity_micro=np.concatenate([many, np.zeros(len(removed), np.int64)]) * MICRO,
        effective_on=turn.some_day(len(where)),
    )  # fmt: skip
    subs["addon"][added], subs["addon"][removed] = code, ""


def _pause(turn: Month, steady: Bools) -> None:
    """Consumers pause for one to three months."""
    subs = turn.subs
    monthly = happenings.of_offer(subs["offer"], "months") <= 1
    where = turn.drawn(steady, archetypes.PAUSES, monthly & ~turn.customers["business"][subs["customer"]])
    day = turn.ticks()[where]
    until = day + (turn.rng.integers(1, 4, len(where)) * 30).astype("m8[D]")
    turn.send(pause, "pause", subscription_id=subs["id"][where], effective_on=day, until_on=until,
              reason=np.full(len(where), "Ferie"))  # fmt: skip
    subs["paused_until"][where] = until


def _regret(turn: Month, steady: Bools) -> None:
    """Cancelled, and taken back; so rare that they are gathered every third month."""
    if turn.month % 3:
        return
    subs = turn.subs
    where = turn.drawn(steady, 3 * archetypes.REGRETS)
    last = turn.end_of_period(turn.ticks())[where] - DAY
    made = turn.send(cancel, "regretted", subscription_id=subs["id"][where], effective_on=last,
                     reason=np.full(len(where), "For dyrt"))  # fmt: skip
    turn.send(undo, "undo", change_id=made["change_ids"])


def _edit(turn: Month, steady: Bools) -> None:
    """Another payment option, another channel, a new address."""
    who = np.unique(turn.subs["customer"][turn.drawn(steady.copy(), archetypes.EDITS)])
    if not len(who):
        return
    what = turn.rng.integers(0, 3, len(who))
    payment, channel = turn.customers["payment"], turn.customers["channel"]
    home = ~turn.customers["business"][who]
    pays = (what == 0) & home & (payment[who] != "efaktura")
    reads = (what == 1) & (channel[who] == "paper")
    payment[who[pays]], channel[who[reads]] = "efaktura", "email"
    street, postal, city = names.places(turn.rng, len(who))
    moves = (what == 2) & (turn.customers["country"][who] == "NO")
    turn.do(edit_customers, "edit", requests=pl.DataFrame({
        "customer_id": turn.customers["id"][who],
        "effective_from": turn.some_day(len(who)),
        "payment_option": happenings.only(["efaktura"] * len(who), pays),
        "channel": happenings.only(["email"] * len(who), reads),
        "address": happenings.only(street, moves), "postal_code": happenings.only(postal, moves),
        "city": happenings.only(city, moves),
    }, schema_overrides=dict.fromkeys(("payment_option", "channel", "address", "postal_code", "city"), pl.String)))  # fmt: skip
