"""Alerts reach their people although the mail server refuses, stalls and drops, and the node is killed again and again.

Other nodes' questions each find the case of another person: as many matches as questions. The mail server, a real one,
refuses a fifth of the messages at first, loses some with their connections after DATA, keeps a few of which it loses
only the answer, and stalls for some. Meanwhile the node is killed at random moments and started again.
"""

import asyncio
import gzip
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from matchmaker.exchange.assembly import open_store
from matchmaker.exchange.config import Config, load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.mme.media import media_type
from matchmaker.mme.patient import Patient
from matchmaker.records.alert import Alert, MailState
from matchmaker.records.party import Client, Role, token_digest
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.store.base import Draft
from tests.alerts.smtp_server import MailServer, mail_server
from tests.samples import patient_json, variant_json
from tests.soak.crash import started

_ASKERS = 50  # nodes; each asks its share of the questions
_AT_ONCE = 8
_BATCH = 500
_TERMS = 5
_SETTLED_SECONDS = 300.0  # for the last mails, after the last question
_STALLED_SHARE = 0.002
_LINK = re.compile(r"/matches/([0-9a-f]{32})")


@dataclass
class Delivered:
    """What came of it. `lost`: alerts whose match stands in no mail; `twice`: matches that stand in the inbox twice."""

    matches: int = 0
    lost: int = 0
    twice: int = 0
    alerts: int = 0
    mails: int = 0
    repeated: int = 0
    other_ids: int = 0  # of mails that were repeated with another Message-ID
    kills: int = 0
    told: list[str] = field(default_factory=list)  # health data found in mails
    seconds: float = 0.0


def cases(config: Config, count: int, chance: random.Random) -> list[dict[str, Any]]:
    """Return patients that are alike to nobody: each with a gene and five terms of its own draw."""
    knowledge = load_knowledge(config)
    rows = gzip.decompress(config.genes.table.read_bytes()).decode().splitlines()[1:]
    symbols = {row.split("\t")[1] for row in rows if row.split("\t")[5] == "protein-coding"}
    genes = sorted(symbol for symbol in symbols if len(symbol) > 4 and "_" not in symbol)  # shorter ones are words, too
    terms = sorted(knowledge.ontology.shown(number)["id"] for number in knowledge.ontology.abnormalities)
    made = []
    for number, gene in enumerate(chance.sample(genes, count)):
        features = [
            {"id": term, "label": knowledge.ontology.label(term) or term} for term in chance.sample(terms, _TERMS)
        ]
        genomic = [{"gene": {"id": gene}, "variant": variant_json(start=1_000_000 + number)}]
        made.append(
            patient_json(f"case{number}", features=features, genomicFeatures=genomic, label=f"Label{number} Secret")
        )
    return made


def address(number: int) -> str:
    """Return whose case of this number is."""
    return f"doctor{number}@dublin.example"


async def prepare(config: Config, patients: Sequence[dict[str, Any]]) -> None:
    """Fill the store: an owner, people with a case each, and nodes that may ask."""
    store = await open_store(config)
    now = time.time()
    await store.add_client(Client("dublin", Role.DEPOSITOR, token_digest("dublin")))
    for n in range(_ASKERS):
        await store.add_client(replace(Client(f"node{n}", Role.NODE, token_digest(f"node{n}")), per_month=None))
    for number in range(len(patients)):
        person = Person(email=address(number), institution="dublin", role=PersonRole.CLINICIAN, created_at=now)
        await store.put_person(person)
    sharing = Sharing(Circle.ALL)
    for begin in range(0, len(patients), _BATCH):
        drafts = [
            Draft(
                "dublin", patient["id"], f"{random.getrandbits(128):032x}", sharing, Patient.model_validate(patient),
                person=address(number),
            )
            for number, patient in enumerate(patients[begin : begin + _BATCH], begin)
        ]  # fmt: skip
        await store.deposit(drafts, now)
    await store.close()


async def deliver(folder: Path, matches: int, kills: int, seed: int, weak_seconds: float) -> Delivered:
    """Ask so many questions, killing the node so many times meanwhile; the server is weak for so many seconds."""
    chance = random.Random(seed)  # noqa: S311 - a draw to be repeated
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    dotted = {"storage.data_dir": folder / "data", "ontology.cache_dir": user_cache_dir()}
    config = load_config(None, dotted, {})
    patients = await asyncio.to_thread(cases, config, matches, chance)
    await prepare(config, patients)
    begun = time.monotonic()
    async with mail_server(chance=random.Random(seed + 1)) as server:  # noqa: S311 - as above
        environment = {**os.environ, **_settings(port, server.port)}
        made = await _run(folder / "data", port, environment, patients, server, kills, chance, weak_seconds)
    made.seconds = round(time.monotonic() - begun, 1)
    _count(made, server, await _alerts(config), patients)
    return made


def _settings(port: int, mail_port: int) -> dict[str, str]:
    return {
        "MATCHMAKER_SERVER__PORT": str(port),
        "MATCHMAKER_SEARCHES__ON_DEPOSIT": "false",
        "MATCHMAKER_DISCLOSURE__RESULTS_WITHOUT_GENE": "0",
        "MATCHMAKER_BUDGET__QUERIES_PER_MINUTE": "0",
        "MATCHMAKER_ALERTS__GATHER_SECONDS": "0",
        "MATCHMAKER_MAIL__TRANSPORT": "smtp",
        "MATCHMAKER_MAIL__HOST": "127.0.0.1",
        "MATCHMAKER_MAIL__PORT": str(mail_port),
        "MATCHMAKER_MAIL__SECURITY": "none",
        "MATCHMAKER_MAIL__TIMEOUT_SECONDS": "1",
        "MATCHMAKER_MAIL__RETRY_SECONDS": "0.5",
        "MATCHMAKER_LOG__LEVEL": "ERROR",
        "MATCHMAKER_ONTOLOGY__CACHE_DIR": str(user_cache_dir()),
    }


async def _run(
    directory: Path,
    port: int,
    environment: dict[str, str],
    patients: Sequence[dict[str, Any]],
    server: MailServer,
    kills: int,
    chance: random.Random,
    weak_seconds: float,
) -> Delivered:
    made, url = Delivered(kills=kills), f"http://127.0.0.1:{port}"
    left = list(range(len(patients)))
    asked: list[int] = []
    serving = [sys.executable, "-m", "matchmaker", "serve", "--data-dir", str(directory)]
    weak = asyncio.create_task(_weak(server, weak_seconds, chance))
    async with ClientSession(timeout=ClientTimeout(total=30)) as session:
        for round_ in range(kills + 1):
            process = subprocess.Popen(serving, env=environment, stdout=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - our own program
            try:
                await started(session, url, process)
                quota = len(patients) if round_ == kills else (round_ + 1) * len(patients) // (kills + 1)
                askers = [
                    asyncio.create_task(_ask(session, url, left, asked, patients, quota)) for _ in range(_AT_ONCE)
                ]
                if round_ < kills:
                    await _until(lambda quota=quota: len(asked) >= quota - _AT_ONCE)
                    await asyncio.sleep(chance.uniform(0.0, 0.6))
                    process.kill()
                    await asyncio.gather(*askers)
                else:
                    await asyncio.gather(*askers)
                    await weak
                    made.matches, made.twice = await _inbox(session, url)
                    await _settled(directory, environment)
            finally:
                process.kill()
                process.wait()
    weak.cancel()
    return made


async def _weak(server: MailServer, seconds: float, chance: random.Random) -> None:
    """Let the server refuse a fifth for a while; lose messages after DATA, and stall now and then, all the time."""
    server.refuse_share, server.drop_share, server.drop_stored_share = 0.20, 0.05, 0.001
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        server.stall_seconds = 5.0 if chance.random() < _STALLED_SHARE * 10 else 0.0
        await asyncio.sleep(0.05)
    server.refuse_share, server.stall_seconds = 0.0, 0.0


async def _ask(
    session: ClientSession, url: str, left: list[int], asked: list[int], patients: Sequence[dict[str, Any]], quota: int
) -> None:
    """Ask about patients like those of the node until a quota is reached, or the node is gone; then put them back."""
    spoken = media_type("1.0")
    while left and len(asked) < quota:
        number = left.pop()
        patient = {**patients[number], "id": f"asked{number}", "label": f"Asked{number} Secret"}
        patient["features"] = patient["features"][:-1]
        headers = {"X-Auth-Token": f"node{number % _ASKERS}", "Content-Type": spoken, "Accept": spoken}
        try:
            async with session.post(f"{url}/match", data=json.dumps({"patient": patient}), headers=headers) as response:
                found = await response.json(content_type=None)
                assert response.status == 200, found
                assert len(found["results"]) == 1, f"{number} found {len(found['results'])}"
        except (ClientError, OSError, TimeoutError):
            left.append(number)
            return
        asked.append(number)


async def _until(holds: Any) -> None:
    while not holds():
        await asyncio.sleep(0.01)


async def _inbox(session: ClientSession, url: str) -> tuple[int, int]:
    """Return how many matches the owner's inbox has, and how many stand in it more than once."""
    seen: Counter[tuple[str, str]] = Counter()
    after = ""
    while True:
        path = f"{url}/api/matches?limit=1000{after}"
        async with session.get(path, headers={"X-Auth-Token": "dublin"}) as response:
            page = await response.json()
        seen.update((one["case"], one["other"]["id"]) for one in page["matches"])
        if "next" not in page:
            return len(seen), sum(count > 1 for count in seen.values())
        after = f"&after={page['next']}"


async def _settled(directory: Path, environment: dict[str, str]) -> None:
    """Wait until no alert and no mail waits any more."""
    config = load_config(None, {"storage.data_dir": directory}, environment)
    deadline = time.monotonic() + _SETTLED_SECONDS
    while time.monotonic() < deadline:
        store = await open_store(config)
        waiting, counts = await store.waiting(time.time(), 0.0), await store.count_mails()
        await store.close()
        if not waiting and not counts.get(MailState.WAITING):
            return
        await asyncio.sleep(0.5)


async def _alerts(config: Config) -> list[Alert]:
    store = await open_store(config)
    alerts: list[Alert] = []
    for mail in await store.mails(list(MailState), 1_000_000):
        alerts += await store.carried(mail.id, 1_000)
    await store.close()
    return alerts


def _count(made: Delivered, server: MailServer, alerts: Sequence[Alert], patients: Sequence[dict[str, Any]]) -> None:
    """Count what arrived, and search it for what it came of."""
    made.alerts, made.mails = len(alerts), len(server.received)
    shown: dict[str, Counter[str]] = {}
    ids: dict[str, set[str]] = {}
    for recipient, content in server.received:
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        text = "\n".join(str(part.get_content()) for part in message.walk() if not part.is_multipart())
        shown.setdefault(recipient, Counter()).update(set(_LINK.findall(text)))
        ids.setdefault(recipient, set()).add(str(message["Message-ID"]))
        number = int(re.findall(r"doctor(\d+)@", recipient)[0])
        whole = f"{text}\n{message.items()}"
        made.told += [word for word in _secrets(patients[number]) if _stands(word, whole)]
    made.lost = sum(not shown.get(one.recipient, Counter())[one.match] for one in alerts)
    made.repeated = sum(count - 1 for one in shown.values() for count in one.values())
    made.other_ids = sum(len(one) - 1 for one in ids.values())


def _secrets(patient: dict[str, Any]) -> list[str]:
    """Return every gene, HPO id, HPO label, variant and patient label that a mail came from."""
    genes = [one["gene"]["id"] for one in patient["genomicFeatures"]]
    variants = [str(one["variant"]["start"]) for one in patient["genomicFeatures"]]
    terms = [word for one in patient["features"] for word in (one["id"], one["label"])]
    labels = [patient["label"], f"Asked{patient['id'].removeprefix('case')} Secret"]
    return [*genes, *variants, *terms, *labels, patient["id"], f"asked{patient['id'].removeprefix('case')}"]


def _stands(word: str, text: str) -> bool:
    return (
        word.casefold() in text.casefold()
        and re.search(rf"(?<![A-Za-z0-9_-]){re.escape(word)}(?![A-Za-z0-9_-])", text, re.IGNORECASE) is not None
    )
