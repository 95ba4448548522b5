"""What becomes of one try to deliver a message: a value, as failures are normal."""

from dataclasses import dataclass
from email.message import EmailMessage
from enum import Enum
from typing import Protocol


class Outcome(Enum):
    """Taken; not now, it is tried again; or never."""

    TAKEN = "taken"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome, and what the other side said: for the operator, in one line."""

    outcome: Outcome
    reason: str = ""


class Transport(Protocol):
    """Delivers messages, one after another. Two exist: a mail server, and a maildir."""

    async def deliver(self, message: EmailMessage, recipient: str, name: str) -> Delivery:
        """Deliver a message to one address. `name` names it for ever. Errors: none but cancellation."""

    async def close(self) -> None:
        """Let go of the connection, if there is one."""
