"""When somebody is due a mail, and when one that failed is tried again. States and times in seconds since 1970; pure.

At once means within seconds, as long as few come; whoever was just written to waits, so that a flood becomes one digest
an hour. Daily and weekly digests come at seven in the morning, UTC.
"""

from matchmaker.records.alert import Mail, MailState, Waiting
from matchmaker.records.choices import Frequency

HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0
_SEVEN = 7 * HOUR
_MONDAY = 4 * DAY  # 1970 began on a Thursday
_FEW_AN_HOUR = 3  # mails of one match each, after which an hour's matches come together
_LONGEST_WAIT = 6 * HOUR


def due_at(waiting: Waiting, frequency: Frequency, gather_seconds: float) -> float | None:
    """Return when what waits for somebody is due; None: never. What is found within `gather_seconds` goes together."""
    if frequency is Frequency.NEVER:
        return None
    if frequency is Frequency.AT_ONCE:
        return _at_once(waiting, gather_seconds)
    span, offset = {
        Frequency.HOURLY: (HOUR, 0.0),
        Frequency.DAILY: (DAY, _SEVEN),
        Frequency.WEEKLY: (WEEK, _MONDAY + _SEVEN),
    }[frequency]
    return (int((waiting.oldest - offset) // span) + 1) * span + offset


def _at_once(waiting: Waiting, gather_seconds: float) -> float:
    soon = waiting.oldest + gather_seconds
    lately = [(at, alerts) for at, alerts in waiting.recent if soon - HOUR < at <= soon]
    digests = [at for at, alerts in lately if alerts > 1]
    if digests:
        return max(soon, max(digests) + HOUR)
    if len(lately) >= _FEW_AN_HOUR or (lately and waiting.alerts > 1):
        return max(soon, lately[0][0] + HOUR)
    return soon


def after_failure(mail: Mail, reason: str, now: float, chance: float, first_wait: float, give_up_after: float) -> Mail:
    """Return a mail that could not be sent for now: tried again after a wait that doubles, or given up at last.

    `chance` in [0, 1) jitters the wait by a quarter each way. RFC 5321, 4.5.4.1: four to five days.
    """
    attempts = mail.attempts + 1
    wait = min(first_wait * 2 ** min(attempts - 1, 20), max(first_wait, _LONGEST_WAIT)) * (0.75 + chance / 2)
    if now + wait > mail.created_at + give_up_after:
        return given_up(mail, f"tried {attempts} times; the last answer: {reason}", now)
    return mail.model_copy(update={"attempts": attempts, "due": now + wait, "reason": reason})


def given_up(mail: Mail, reason: str, now: float) -> Mail:
    """Return a mail that is not tried again."""
    update = {"state": MailState.GIVEN_UP, "settled_at": now, "reason": reason, "attempts": mail.attempts + 1}
    return mail.model_copy(update=update)


def sent(mail: Mail, now: float) -> Mail:
    """Return a mail that was taken by the mail server."""
    update = {"state": MailState.SENT, "settled_at": now, "reason": None, "attempts": mail.attempts + 1}
    return mail.model_copy(update=update)


def empty(mail: Mail, now: float) -> Mail:
    """Return a mail of which nothing is left to tell."""
    return mail.model_copy(update={"state": MailState.EMPTY, "settled_at": now})
