"""A command runs once: a repetition answers the same, other content is refused, and the audit chain tells every touch."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from core.actions.command import COMMANDS, Work, command
from core.domain.access import Actor, Permission, Role
from core.domain.errors import Conflict, NotPermitted
from core.store.audit import audit_head, first_broken_audit_entry, holds_head
from core.store.engine import reading, writing
from core.store.save import insert_many
from core.store.tables import AuditEntry, Command, Plan, Revision, core_table

NOW = dt.datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def add_plan():
    """An action that adds a plan, known only while this file is tested."""

    @command("test.add_plan", Permission.DRAFT_PRICES)
    def run(work: Work, *, code: str, fail: bool = False):
        insert_many(work.session, Plan, [{"code": code}])
        work.audit(f"plan:{code}", "code")
        if fail:
            raise Conflict("The test wants this to fail")
        return {"code": code, "plans": count(work.session, Plan)}

    yield run
    del COMMANDS["test.add_plan"]


@pytest.fixture
def kari():
    """Somebody who may draft prices."""
    return Actor("Kari", Role.PRODUCT)


def count(session, model):
    return session.execute(select(func.count()).select_from(core_table(model))).scalar()


def counts(engine):
    """(plans, commands, audit entries, data revision)"""
    with reading(engine) as session:
        revision = session.execute(select(core_table(Revision).c.value)).scalar()
        return count(session, Plan), count(session, Command), count(session, AuditEntry), revision


def test_the_same_command_again_answers_the_same_and_does_nothing(engine, add_plan, kari):
    first = add_plan(engine, kari, command_id="1", now=NOW, code="a")
    again = add_plan(engine, kari, command_id="1", now=NOW + dt.timedelta(days=1), code="a")
    assert first == again == {"code": "a", "plans": 1}
    assert counts(engine) == (1, 1, 1, 1)


def test_the_same_id_with_other_content_is_a_conflict(engine, add_plan, kari):
    add_plan(engine, kari, command_id="1", now=NOW, code="a")
    with pytest.raises(Conflict, match="already sent with other content"):
        add_plan(engine, kari, command_id="1", now=NOW, code="b")
    assert counts(engine) == (1, 1, 1, 1)


def test_a_command_that_fails_leaves_nothing_and_can_be_sent_again(engine, add_plan, kari):
    with pytest.raises(Conflict, match="wants this to fail"):
        add_plan(engine, kari, command_id="1", now=NOW, code="a", fail=True)
    assert counts(engine) == (0, 0, 0, None)
    add_plan(engine, kari, command_id="1", now=NOW, code="a")
    assert counts(engine) == (1, 1, 1, 1)


def test_eight_threads_with_the_same_id_execute_it_once(engine, add_plan, kari):
    def send(_):
        return add_plan(engine, kari, command_id="1", now=NOW, code="a")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    assert answers == [{"code": "a", "plans": 1}] * 8
    assert counts(engine) == (1, 1, 1, 1)


def test_eight_threads_with_their_own_ids_make_one_unbroken_chain(engine, add_plan, kari):
    def send(number):
        return add_plan(engine, kari, command_id=str(number), now=NOW, code=str(number))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(40)))
    assert sorted(answer["plans"] for answer in answers) == list(range(1, 41))
    assert counts(engine) == (40, 40, 40, 40)
    with reading(engine) as session:
        assert first_broken_audit_entry(session) is None


@pytest.mark.parametrize("actor", [None, Actor("Vera", Role.VIEWER), Actor("Siri", Role.SUPPORT)])
def test_nobody_without_the_permission_gets_as_far_as_the_database(engine, add_plan, actor):
    with pytest.raises(NotPermitted):
        add_plan(engine, actor, command_id="1", now=NOW, code="a")
    assert counts(engine) == (0, 0, 0, None)


# --- the chain -----------------------------------------------------------------------------------------------------


@pytest.fixture
def chained(engine, add_plan, kari):
    """Five audit entries, and nobody left to guard them."""
    for number in range(1, 6):
        add_plan(engine, kari, command_id=str(number), now=NOW, code=str(number))
    with engine.begin() as connection:
        for name in guards_of_the_chain(connection):
            where = " ON audit_entry" if engine.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {name}{where}"))
    return engine


def guards_of_the_chain(connection):
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit_entry'::regclass AND NOT tgisinternal"
    names = list(connection.execute(text(query)).scalars())
    assert names, "the chain has guards to drop"
    return names


def broken_after(engine, *tampering):
    """The first broken entry after these statements."""
    with writing(engine) as session:
        for statement in tampering:
            session.execute(text(statement))
    with reading(engine) as session:
        return first_broken_audit_entry(session)


def test_an_untouched_chain_holds(chained):
    assert broken_after(chained) is None


@pytest.mark.parametrize(
    "field",
    [
        "actor = 'Per'",
        "action = 'x'",
        "subject = 'plan:9'",
        "fields = ''",
        "recorded_at = '2026-01-01 00:00:00.000000'",
    ],
)
def test_an_edited_entry_is_named(chained, field):
    assert broken_after(chained, f"UPDATE audit_entry SET {field} WHERE id = 3") == 3


def test_an_edited_entry_with_a_new_hash_breaks_its_successor(chained):
    assert broken_after(chained, "UPDATE audit_entry SET hash = 'forged' WHERE id = 3") == 3
    forged = "UPDATE audit_entry SET previous_hash = 'forged' WHERE id = 4"
    assert broken_after(chained, forged) == 3


def test_a_deleted_entry_is_missed_by_its_successor(chained):
    assert broken_after(chained, "DELETE FROM audit_entry WHERE id = 3") == 4


def test_a_deleted_first_entry_is_missed(chained):
    assert broken_after(chained, "DELETE FROM audit_entry WHERE id = 1") == 2


def test_two_entries_that_changed_places_are_named(chained):
    assert broken_after(
        chained,
        "UPDATE audit_entry SET id = 99 WHERE id = 2",
        "UPDATE audit_entry SET id = 2 WHERE id = 3",
        "UPDATE audit_entry SET id = 3 WHERE id = 99",
    ) == 2  # fmt: skip


def test_a_cut_off_tail_is_found_by_a_head_kept_elsewhere(chained):
    with reading(chained) as session:
        printed = audit_head(session)
        assert printed.entries == 5
        assert holds_head(session, printed)
    assert broken_after(chained, "DELETE FROM audit_entry WHERE id = 5") is None
    with reading(chained) as session:
        assert not holds_head(session, printed)
