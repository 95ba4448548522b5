"""People who sign in at a node, and two nodes for them: Ireland, where they work, and Spain, which knows such cases."""

import contextlib
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from matchmaker.demo.nodes import DATA
from matchmaker.genome.genes import GeneTable
from matchmaker.intake.patients import Reading, Taken
from matchmaker.intake.records import RecordFile
from matchmaker.mme.patient import Contact, Patient
from matchmaker.records.party import Role
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.sharing import Circle, Level, Sharing
from tests.conftest import RunningNode, StartNode
from tests.federation.test_two_nodes import introduce

CHEAP = {"sign_in__password_memory_kib": 64, "sign_in__password_passes": 1}  # a real hash takes 50 ms and 64 MiB
DUBLIN = "Hospital of Dublin"
MADRID = Contact(name="Dra. García", href="mailto:garcia@madrid.example", institution="Hospital of Madrid")
_PASSWORD = "seven words in a row will do"


@dataclass(frozen=True, slots=True)
class Account:
    """What somebody signs in with."""

    email: str
    password: str


async def enrol(
    node: RunningNode, email: str = "byrne@dublin.example", role: PersonRole = PersonRole.CLINICIAN, **told: Any
) -> Account:
    """Add a person who may sign in, and has accepted the agreement."""
    person = Person(**{"email": email, "institution": DUBLIN, "role": role, "name": "Dr Byrne", **told})
    signing_in = node.exchange.signing_in
    await node.exchange.store.put_person(person)
    await signing_in.agree(person)
    await signing_in.accept_invitation(await signing_in.invite(email), _PASSWORD)
    await node.exchange.store.end_sessions(email)
    await node.exchange.catch_up()
    await node.exchange.vocabulary.search()  # made once a run, which may take longer than a page is waited for
    return Account(email, _PASSWORD)


async def sign_in(page: Page, node: RunningNode, account: Account) -> None:
    """Sign in as people do, and wait for the first page behind it."""
    await page.goto(f"{node.url}/sign-in")
    await page.locator("#email").fill(account.email)
    await page.locator("#password").fill(account.password)
    await page.locator("#password").press("Enter")
    await page.wait_for_url(lambda url: "/sign-in" not in url)


@contextlib.asynccontextmanager
async def two_countries(start_node: StartNode, **settings: Any) -> AsyncIterator[tuple[RunningNode, RunningNode]]:
    """Run Ireland, which searches with each case that is kept and asks Spain; and Spain with the published cases."""
    async with (
        start_node("ireland", "IE", **{**CHEAP, "searches__on_deposit": True, **settings}) as ireland,
        start_node("spain", "ES", node__disclaimer="Published cases, for research only.") as spain,
    ):
        await introduce(ireland, spain, "ES")
        await spain.add_client("madrid", Role.DEPOSITOR)
        madrid = spain.exchange.directory.owner("madrid")
        for patient in published(spain.exchange.knowledge.genes):
            await spain.exchange.deposit(madrid, patient, Sharing(Circle.ALL, Level.FULL), None, None)
        yield ireland, spain


@lru_cache(maxsize=1)
def published(genes: GeneTable) -> tuple[Patient, ...]:
    """The published cases whose gene is BCKDK, as Spain holds them in the demo."""
    lines = gzip.decompress((DATA / "spain.jsonl.gz").read_bytes()).splitlines(keepends=True)
    file = RecordFile(Path("spain.jsonl"), b"".join(line for line in lines if b"BCKDK" in line))
    return tuple(one.patient for one in Reading(genes, MADRID).patients(file) if isinstance(one, Taken))
