"""The story: Martin is deposited in Dublin, his node looks at its own cases, asks Spain, and finds a second child."""

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from matchmaker.demo.nodes import DATA, DemoFailed, DemoNode, prepare, running
from matchmaker.exchange.config import user_cache_dir
from matchmaker.exchange.messages import DisclosureList, Preview, SearchAnswer
from matchmaker.mme.validation import validate

GENE = "BCKDK"
_OK = (200, 201)
_MAIL_SECONDS = 20.0


@dataclass(frozen=True)
class Told:
    """What came of it: the local search, the search with the peer, and the seconds from the deposit to the answer.

    `sent` is what left Ireland, to the letter; `asked` and `shown` are what the ledgers say of Martin, and of the child
    that was found. `mails` are those that both doctors got.
    """

    ireland: DemoNode
    spain: DemoNode
    local: SearchAnswer
    federated: SearchAnswer
    seconds: float
    sent: dict[str, Any]
    asked: DisclosureList
    shown: DisclosureList | None
    mails: tuple[EmailMessage, ...]
    query_file: Path
    stays_up: bool

    @property
    def spanish_case_first(self) -> bool:
        """Whether the first match is Spain's, and shares the gene."""
        best = self.federated.results[0] if self.federated.results else None
        if best is None or best.node != "spain" or best.explanation is None:
            return False
        return any(gene.symbol == GENE for gene in best.explanation.shared_genes)


async def tell(say: Callable[[str], None], show: Callable[[Told], None], *, once: bool) -> None:
    """Tell the story, `say`ing each step and `show`ing what came of it; unless `once`, stay up until cancelled.

    Whatever ends it, by Ctrl-C or by SIGTERM, ends both nodes first. Errors: DemoFailed.
    """
    if task := asyncio.current_task():
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with tempfile.TemporaryDirectory(prefix="matchmaker-demo-") as folder:
        directory = Path(folder)
        say("Two nodes are filled with published cases …")
        cache = user_cache_dir()
        ireland, spain = await prepare(directory, cache)
        say(f"  ireland has {ireland.cases}, spain {spain.cases}. Each starts as a process of its own …")
        async with running((ireland, spain), cache):
            told = await _tell(ireland, spain, directory, say, stays_up=not once)
            show(told)
            if not once:
                say("\nBoth nodes stay up until Ctrl-C.")
                await asyncio.Event().wait()


async def _tell(
    ireland: DemoNode, spain: DemoNode, directory: Path, say: Callable[[str], None], *, stays_up: bool
) -> Told:
    body = json.loads((DATA / "martin.json").read_text(encoding="utf-8"))
    query_file = directory / "martin.json"
    query_file.write_text(json.dumps(body), encoding="utf-8")
    started = time.monotonic()
    async with aiohttp.ClientSession(headers={"X-Auth-Token": ireland.token}) as session:
        say("Dublin deposits Martin: a small head, slow development, six candidate genes.")
        path = f"{ireland.url}/api/cases/martin"
        await _call(session, "PUT", path, {**body, "sharing": {"with": "all"}, "owner": ireland.doctor})
        say("His node looks at its own cases …")
        local = await _search(session, path, {"nodes": ["ireland"]})
        say(f"  {_described(local)}")
        preview = validate(Preview, json.loads(await _call(session, "POST", f"{path}/preview", {})))
        say("… and asks Spain.")
        federated = await _search(session, path, {})
        elapsed = time.monotonic() - started
        asked = validate(DisclosureList, json.loads(await _call(session, "GET", f"{path}/disclosures")))
    shown = await _shown(spain, federated)
    sent = next((one.sent for one in preview.nodes if one.node == spain.name and one.sent), {})
    say("Both nodes write to their doctors …")
    mails = await _mails((ireland, spain))
    return Told(ireland, spain, local, federated, elapsed, sent, asked, shown, mails, query_file, stays_up)


async def _mails(nodes: tuple[DemoNode, ...]) -> tuple[EmailMessage, ...]:
    """Return the mails that each node has written to its doctor, once there are some. Errors: DemoFailed."""
    mails: list[EmailMessage] = []
    for node in nodes:
        folder, deadline = node.directory / "mail" / "new", time.monotonic() + _MAIL_SECONDS
        while not (files := await asyncio.to_thread(lambda folder=folder: sorted(folder.glob("*")))):  # type: ignore[misc]  # mypy cannot infer a lambda's default
            if time.monotonic() > deadline:
                raise DemoFailed(f"{node.name} has written no mail within {_MAIL_SECONDS:g} s")
            await asyncio.sleep(0.1)
        read = [await asyncio.to_thread(_read_mail, file) for file in files]
        mails += read
    return tuple(mails)


def _read_mail(file: Path) -> EmailMessage:
    message = BytesParser(policy=default).parsebytes(file.read_bytes())
    if not isinstance(message, EmailMessage):
        raise DemoFailed(f"{file} is no mail")
    return message


async def _shown(spain: DemoNode, answer: SearchAnswer) -> DisclosureList | None:
    """Return what Spain's ledger says of the case that came first: its owner finds it by the id that Dublin quotes."""
    quoted = next((result.patient.id for result in answer.results if result.node == spain.name), None)
    async with aiohttp.ClientSession(headers={"X-Auth-Token": spain.archive_token}) as session:
        found = json.loads(await _call(session, "GET", f"{spain.url}/api/cases?known_as={quoted}"))["cases"]
        if not found:
            return None
        path = f"{spain.url}/api/cases/{quote(found[0]['id'], safe='')}/disclosures"
        return validate(DisclosureList, json.loads(await _call(session, "GET", path)))


def _described(answer: SearchAnswer) -> str:
    if not answer.results:
        return "None is like him."
    shared = [result for result in answer.results if result.explanation and result.explanation.shared_genes]
    genes = f"{len(shared)} share a candidate gene" if shared else "none shares a candidate gene"
    return f"{len(answer.results)} are a little like him, at best {answer.results[0].score.patient:.3f}; {genes}."


async def _search(session: aiohttp.ClientSession, path: str, body: dict[str, object]) -> SearchAnswer:
    return validate(SearchAnswer, json.loads(await _call(session, "POST", f"{path}/search", body)))


async def _call(session: aiohttp.ClientSession, method: str, url: str, body: dict[str, object] | None = None) -> bytes:
    async with session.request(method, URL(url, encoded=True), json=body) as response:
        content = await response.read()
        if response.status not in _OK:
            raise DemoFailed(f"{method} {url} answered {response.status}: {content[:200]!r}")
        return content
