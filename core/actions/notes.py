"""Notes pinned to a customer: put up, replaced, taken down; nothing is overwritten."""

from __future__ import annotations

from sqlalchemy import select

from core.actions.command import Answer, Work, command
from core.domain.access import Permission
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.store.save import insert_many
from core.store.tables import Customer, CustomerNote, core_table

LONGEST = 500


@command("notes.pin", Permission.RECORD_CONTACTS)
def pin_note(work: Work, *, customer_id: int, text: str, replaces_id: int | None = None) -> Answer:
    """Pin a note, or replace one; an empty text takes it down."""
    wanted, notes = " ".join(text.split()), core_table(CustomerNote).c
    if "\0" in wanted or len(wanted) > LONGEST:
        raise InvalidInput(
            "A note has at most {most} characters and no control characters", code="bad_note", most=LONGEST
        )
    if not wanted and replaces_id is None:
        raise InvalidInput("Write what the next person should know", code="empty_note")
    customer = core_table(Customer).c
    if work.session.execute(select(customer.id).where(customer.id == customer_id)).first() is None:
        raise NotFound("There is no customer {customer_id}", code="no_customer", customer_id=customer_id)
    if (
        replaces_id is not None
        and work.session.execute(select(notes.id).where(notes.replaces_id == replaces_id)).first()
    ):
        raise Conflict("Somebody has changed this note meanwhile; look at it again", code="note_changed")
    insert_many(
        work.session, CustomerNote,
        [{"customer_id": customer_id, "text": wanted, "replaces_id": replaces_id, **work.stamp, "command_id": work.command_id}],
    )  # fmt: skip
    work.audit(f"customer:{customer_id}", "note")
    return {"customer_id": customer_id}
