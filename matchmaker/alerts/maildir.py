"""Mails into a maildir, for a node without a mail server: any mail program can read them."""

import asyncio
import os
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from matchmaker.alerts.delivery import Delivery, Outcome

_FOLDERS = ("tmp", "new", "cur")


@dataclass(frozen=True)
class MaildirTransport:
    """Writes each message into `folder` under its own name: one that is delivered twice is there once."""

    folder: Path

    async def deliver(self, message: EmailMessage, recipient: str, name: str) -> Delivery:
        """See Transport."""
        try:
            content = message.as_bytes(policy=message.policy.clone(linesep="\n"))  # as files have lines
            await asyncio.to_thread(self._write, content, name)
        except OSError as error:
            return Delivery(Outcome.LATER, f"the maildir {self.folder} cannot be written: {error.strerror}")
        return Delivery(Outcome.TAKEN)

    def _write(self, content: bytes, name: str) -> None:
        """Write a file in tmp, then move it to new, as cr.yp.to/proto/maildir.html has it."""
        for folder in _FOLDERS:
            (self.folder / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        file = f"{name}.matchmaker"
        if any((self.folder / "cur").glob(f"{file}*")):
            return  # it was delivered, and looked at since
        begun = self.folder / "tmp" / file
        handle = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        begun.rename(self.folder / "new" / file)

    async def close(self) -> None:
        """See Transport."""
