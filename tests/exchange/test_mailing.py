"""A match reaches its people, once: whom, when, in which words; and not what nobody should read in a mail."""

import asyncio
from email.message import EmailMessage

from matchmaker.alerts.compose import MOST_LINES
from matchmaker.records.alert import Alert, MailState
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.party import Role
from tests.clock import DAY, HOUR, Clock
from tests.conftest import RunningNode, StartNode
from tests.eventually import eventually
from tests.samples import patient_json, variant_json
from tests.soak.flooding import sighting
from tests.web.test_matches_api import FEATURES, ask, call, inbox, put

ANA = "ana@dublin.example"
MAILBOX = "matching@dublin.example"


async def mails(node: RunningNode, count: int = 1) -> list[EmailMessage]:
    """Wait until the node has written so many mails; return them."""

    async def written() -> list[EmailMessage]:
        found = node.mails()
        return found if len(found) >= count else []

    return await eventually(written)


async def nothing_waits(node: RunningNode) -> None:
    """Let the loops run a few times."""
    await asyncio.sleep(0.5)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content())


async def dublin(node: RunningNode) -> dict[str, str]:
    await node.add_person(ANA, language="es")
    return await node.add_client("dublin", Role.DEPOSITOR, contact=MAILBOX)


async def alerts(node: RunningNode, owner: dict[str, str]) -> list[Alert]:
    ids = [one["id"] for one in await inbox(node, owner)]
    return await node.read(lambda store: store.alerts_of(ids))


async def test_the_owner_of_a_case_gets_one_mail_of_a_match_in_her_language(node: RunningNode) -> None:
    owner, spain = await dublin(node), await node.add_client("spain")
    await put(node, owner, "martin", owner=ANA)
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    (mail,) = await mails(node)
    assert (mail["To"], mail["Content-Language"]) == (ANA, "es")
    assert "Una coincidencia muy fuerte, con spain" in mail["Subject"]
    (match,) = await inbox(node, owner)
    assert f"/matches/{match['id']}" in text_of(mail)
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    await nothing_waits(node)
    assert len(node.mails()) == 1
    _, whole = await call(node, "GET", f"/api/matches/{match['id']}", owner)
    assert [(one["to"], one["state"]) for one in whole["alerts"]] == [(ANA, "sent")]


async def test_a_case_without_an_owner_alerts_its_institutions_mailbox_and_else_the_operator_is_shown_it(
    node: RunningNode,
) -> None:
    owner, spain = await dublin(node), await node.add_client("spain")
    cork = await node.add_client("cork", Role.DEPOSITOR)
    await put(node, owner, "martin")
    await put(node, cork, "other", genomicFeatures=[{"gene": {"id": "TTN"}}])
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    (mail,) = await mails(node)
    assert mail["To"] == MAILBOX
    await ask(node, spain, patient_json("hija", features=FEATURES, genomicFeatures=[{"gene": {"id": "TTN"}}]))
    await nothing_waits(node)
    assert len(node.mails()) == 1
    assert await node.read(lambda store: store.unaddressed()) == 1
    (match,) = (one for one in await inbox(node, cork) if one["sharedGenes"])
    _, whole = await call(node, "GET", f"/api/matches/{match['id']}", cork)
    assert [one["state"] for one in whole["alerts"]] == ["nobody"]


async def test_nothing_of_the_patients_stands_in_a_mail(node: RunningNode) -> None:
    owner, spain = await dublin(node), await node.add_client("spain")
    secret = {
        "label": "Martin Murphy",
        "genomicFeatures": [{"gene": {"id": "BCKDK"}, "variant": variant_json(), "zygosity": 2}],
        "contact": {"name": "Dr Byrne", "href": "mailto:byrne@dublin.example"},
    }
    await put(node, owner, "martin", owner=ANA, sharing={"with": "all", "level": "full"}, **secret)
    await ask(node, spain, patient_json("hijo", **{**secret, "label": "El niño", "features": FEATURES}))
    (mail,) = await mails(node)
    whole = "".join(str(part.get_content()) for part in mail.walk() if not part.is_multipart()) + str(mail.items())
    words = (
        "HP:",
        "Microcephaly",
        "Seizure",
        "BCKDK",
        "ENSG",
        "31110715",
        "Martin",
        "martin",
        "hijo",
        "El niño",
        "Byrne",
    )
    assert [word for word in words if word in whole] == []


async def test_a_test_patient_alerts_nobody(node: RunningNode) -> None:
    owner, spain = await dublin(node), await node.add_client("spain")
    await put(node, owner, "martin", owner=ANA)
    await put(node, owner, "trial", owner=ANA, test=True)
    await ask(node, spain, patient_json("hijo", features=FEATURES, test=True))
    await nothing_waits(node)
    assert await alerts(node, owner) == []


async def test_what_a_person_and_a_case_have_chosen_is_kept_to(node: RunningNode) -> None:
    owner, spain = await dublin(node), await node.add_client("spain")
    for n, (path, chosen) in enumerate(
        (
            ("/api/cases/muted/alerts", {"muted": True}),
            ("/api/cases/strict/alerts", {"minScore": 1.0}),
            ("/api/cases/gene/alerts", {"mutedGenes": ["bckdk"]}),
            ("/api/cases/node/alerts", {"mutedNodes": ["spain"]}),
        )
    ):
        case = path.split("/")[3]
        await put(node, owner, case, owner=ANA)
        assert (await call(node, "PUT", path, owner, chosen))[0] == 200
        assert n < 4
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    await nothing_waits(node)
    assert await alerts(node, owner) == []
    reasons = {one["case"]: one["quiet"] for one in await inbox(node, owner)}
    assert reasons == {
        "muted": "the case is muted",
        "strict": "it is below the threshold",
        "gene": "the shared gene is muted",
        "node": "the node is muted",
    }


async def test_a_daily_digest_holds_the_days_matches_and_comes_once(start_node: StartNode) -> None:
    clock = Clock()
    async with start_node(world=clock.world) as node:
        owner, spain = await dublin(node), await node.add_client("spain")
        await call(node, "PUT", f"/api/people/{ANA}/alerts", owner, {"frequency": "daily", "language": "en"})
        await put(node, owner, "martin", owner=ANA)
        for n in range(3):
            await ask(node, spain, patient_json(f"hijo{n}", features=FEATURES))
            clock.now += 60
        await nothing_waits(node)
        assert node.mails() == []
        clock.now += DAY
        (mail,) = await mails(node)
        assert mail["Subject"] == "3 matches, from ireland"
        clock.now += DAY
        await nothing_waits(node)
        assert len(node.mails()) == 1


async def test_a_flood_for_one_person_is_one_digest_an_hour_at_most(start_node: StartNode) -> None:
    clock = Clock()
    async with start_node(world=clock.world, alerts__gather_seconds=5) as node:
        owner = await dublin(node)
        view = await put(node, owner, "martin", owner=ANA)

        async def flood(first: int, count: int) -> None:
            found = [sighting(view["publicId"], first + n, clock.now) for n in range(count)]
            await node.read(lambda store: store.record(found))

        await flood(0, 300)
        clock.now += 6
        (digest,) = await mails(node)
        assert digest["Subject"].startswith("300 coincidencias")
        assert text_of(digest).count("/matches/") == MOST_LINES
        sent_at = clock.now
        for minute in range(59):
            await flood(300 + 10 * minute, 10)
            clock.now = sent_at + 60.0 * minute
            await asyncio.sleep(0.01)
        await nothing_waits(node)
        assert len(node.mails()) == 1
        clock.now = sent_at + HOUR + 10
        (_, second) = await mails(node, 2)
        assert second["Subject"].startswith("590 coincidencias")
        assert await node.read(lambda store: store.waiting(clock.now, 0.0)) == []


async def test_a_withdrawn_case_takes_its_queued_alerts_with_it(start_node: StartNode) -> None:
    clock = Clock()
    async with start_node(world=clock.world, alerts__gather_seconds=60) as node:
        owner, spain = await dublin(node), await node.add_client("spain")
        await put(node, owner, "martin", owner=ANA)
        await ask(node, spain, patient_json("hijo", features=FEATURES))
        await call(node, "DELETE", "/api/cases/martin", owner)
        clock.now += HOUR
        await nothing_waits(node)
        assert node.mails() == []


async def test_who_was_told_of_a_withdrawn_case_is_told_so_by_mail_once(start_node: StartNode) -> None:
    clock = Clock()
    async with start_node(world=clock.world) as node:
        owner = await dublin(node)
        spain = await node.add_client("spain", contact="matching@madrid.example")
        france = await node.add_client("france")
        view = await put(node, owner, "martin", owner=ANA)
        for asker in (spain, france):
            told = await ask(node, asker, patient_json("hijo", features=FEATURES))
            if asker is spain:
                known_as = told["results"][0]["patient"]["id"]
        await mails(node)
        await call(node, "DELETE", "/api/cases/martin", owner)
        clock.now += 10

        async def noticed() -> list[EmailMessage]:
            return [one for one in node.mails() if one["To"] == "matching@madrid.example"]

        (notice,) = await eventually(noticed)
        assert known_as in text_of(notice)
        assert view["publicId"] not in text_of(notice)
        assert notice["List-Unsubscribe"] is None
        clock.now += HOUR
        await nothing_waits(node)

        async def written_down() -> bool:
            _, report = await call(node, "GET", "/api/cases/martin/disclosures", owner)
            lines = [one["who"] for one in report["disclosures"] if one["what"] == "notified"]
            return lines == ["spain"] and report["notices"] == ["france"]

        assert await eventually(written_down), "who has no address is still to be told"
        assert len(await noticed()) == 1


async def test_the_other_nodes_contact_is_written_to_only_where_that_node_tells_nobody(node: RunningNode) -> None:
    owner = await dublin(node)
    spain, france = await node.add_client("spain", country="ES"), await node.add_client("france", country="FR")
    await node.add_peer("spain", "http://127.0.0.1:1", notify=True)
    await node.add_peer("france", "http://127.0.0.1:1", country="FR")
    await put(node, owner, "martin", owner=ANA)
    for asker, name in ((spain, "garcia@madrid.example"), (france, "dupont@paris.example")):
        contact = {"name": "X", "href": f"mailto:{name}"}
        await ask(node, asker, patient_json("theirs-4711", features=FEATURES, contact=contact))

    async def both() -> list[EmailMessage]:
        found = node.mails()
        return found if {one["To"] for one in found} >= {ANA, "garcia@madrid.example"} else []

    found = await eventually(both)
    assert "dupont@paris.example" not in {one["To"] for one in found}
    (mail,) = (one for one in found if one["To"] == "garcia@madrid.example")
    assert "theirs-4711" in text_of(mail)
    assert "Dr Byrne, mailto:byrne@hospital.example" in text_of(mail)
    assert "HP:" not in text_of(mail)


async def test_a_node_whose_rules_demand_it_writes_the_complete_form(start_node: StartNode) -> None:
    async with start_node(alerts__form="complete") as node:
        owner, spain = await dublin(node), await node.add_client("spain")
        await put(node, owner, "martin", owner=ANA)
        await ask(node, spain, patient_json("hijo", features=FEATURES))
        (mail,) = await mails(node)
        for word in ("martin", "BCKDK", "Microcephaly (HP:0000252)", "Dr Byrne"):
            assert word in text_of(mail)


async def test_who_wants_no_mails_finds_the_match_in_the_inbox_all_the_same(node: RunningNode) -> None:
    owner, spain = await dublin(node), await node.add_client("spain")
    await node.read(lambda store: store.put_choices(ANA, Choices(frequency=Frequency.NEVER)))
    await node.exchange._following.catch_up()  # noqa: SLF001 - what the background loop does, without its wait
    await put(node, owner, "martin", owner=ANA)
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    await nothing_waits(node)
    (match,) = await inbox(node, owner)
    assert match["quiet"] == "the recipient wants no mails"
    assert node.mails() == []


async def test_a_disabled_person_is_alerted_no_more_and_the_mailbox_is(node: RunningNode) -> None:
    owner, spain = await dublin(node), await node.add_client("spain")
    await put(node, owner, "martin", owner=ANA)
    await node.add_person(ANA, disabled_at=1.0)
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    (mail,) = await mails(node)
    assert mail["To"] == MAILBOX


async def test_mails_that_wait_are_sent_after_a_restart(start_node: StartNode) -> None:
    async with start_node(alerts__gather_seconds=3_600) as node:
        owner, spain = await dublin(node), await node.add_client("spain")
        await put(node, owner, "martin", owner=ANA)
        await ask(node, spain, patient_json("hijo", features=FEATURES))
        await nothing_waits(node)
        assert node.mails() == []
    async with start_node() as node:
        (mail,) = await mails(node)
        assert mail["To"] == ANA
        counts = await node.read(lambda store: store.count_mails())
        assert counts == {MailState.SENT: 1}


async def test_who_is_to_be_alerted_later_is_told_then_of_what_nobody_was_told(node: RunningNode) -> None:
    spain, cork = await node.add_client("spain"), await node.add_client("cork", Role.DEPOSITOR)
    await put(node, cork, "martin")
    for _ in range(2):
        await ask(node, spain, patient_json("hijo", features=FEATURES))
    assert await node.read(lambda store: store.unaddressed()) == 1
    await node.add_person("eva@cork.example", "cork")
    await put(node, cork, "martin", owner="eva@cork.example")
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    (mail,) = await mails(node)
    assert mail["To"] == "eva@cork.example"
    assert await node.read(lambda store: store.unaddressed()) == 0
