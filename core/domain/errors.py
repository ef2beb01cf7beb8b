"""Refusals, in the user's words.

Every refusal carries a sentence with named places (`"Tier {tier} ends at {end}"`), so that the edge can translate the
sentence and still fill in the values. Findings of a batch are data (frames), never exceptions; our own bugs are assertions.
"""

from __future__ import annotations


class ForbliError(Exception):
    """A refusal that a user can understand and act on.

    `message` is an English template, `values` fill it; `code` is stable for machines; `hint` says what to do instead.
    """

    def __init__(self, message: str, *, code: str = "refused", hint: str = "", **values: object) -> None:
        self.message = message
        self.code = code
        self.hint = hint
        self.values = values
        super().__init__(message.format(**values))


class InvalidInput(ForbliError):
    """What was given cannot be right, whoever asks."""


class NotFound(ForbliError):
    """What was asked for does not exist."""


class Conflict(ForbliError):
    """What was asked for contradicts something that is already stored."""


class NotPermitted(ForbliError):
    """The actor's role does not allow this."""
