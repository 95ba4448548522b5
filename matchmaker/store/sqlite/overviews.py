"""What a page shows of many cases at once, in the embedded store."""

from collections import defaultdict
from collections.abc import Collection as Collection_
from collections.abc import Mapping, Sequence

from matchmaker.records.case import Case
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Status
from matchmaker.records.work import Work
from matchmaker.store.deciding import WITHDRAWN
from matchmaker.store.kept_accounts import Told, Whose
from matchmaker.store.sqlite import cases
from matchmaker.store.sqlite.cases import CASE, WORK
from matchmaker.store.sqlite.running import Running


def _live(whose: Whose) -> tuple[str, tuple[object, ...]]:
    """Return the condition by which cases are meant, and its values; each goes along an index."""
    if whose.person is None:
        return "owner = ? AND patient IS NOT NULL", (whose.owner,)
    return "person = ? AND owner = ? AND patient IS NOT NULL", (whose.person, whose.owner)


class Overviews(Running):
    """The part of a Store that pages ask."""

    async def latest_cases(self, whose: Whose, before: tuple[float, str] | None, limit: int) -> list[Case]:
        """See Store."""
        some, values = _live(whose)
        behind = " AND (updated_at, public_id) < (?, ?)" if before else ""
        sql = f"SELECT {CASE} FROM cases WHERE {some}{behind} ORDER BY updated_at DESC, public_id DESC LIMIT ?"
        bound = (*values, *(before or ()), limit)
        return await self.run(lambda c: [cases.read_case(row) for row in c.execute(sql, bound)])

    async def count_cases_of(self, whose: Whose) -> int:
        """See Store."""
        some, values = _live(whose)
        sql = f"SELECT count(*) FROM cases WHERE {some}"
        return await self.run(lambda connection: int(connection.execute(sql, values).fetchone()[0]))

    async def public_ids_of(self, whose: Whose) -> list[str]:
        """See Store."""
        some, values = _live(whose)
        sql = f"SELECT public_id FROM cases WHERE {some} ORDER BY public_id"
        return await self.run(lambda c: [public_id for (public_id,) in c.execute(sql, values)])

    async def count_matches(self, cases: Collection_[str]) -> Mapping[str, Mapping[Status, int]]:
        """See Store."""
        wanted = sorted(cases)
        some = f"owner <> '' AND case_id IN ({', '.join('?' * len(wanted))})"
        sql = f"SELECT case_id, status, count(*) FROM sides WHERE {some} GROUP BY case_id, status"
        counts: dict[str, dict[Status, int]] = defaultdict(dict)
        for case, status, count in await self.run(lambda c: c.execute(sql, wanted).fetchall()):
            counts[case][Status(status)] = count
        return dict(counts)

    async def told_of(self, cases: Collection_[str]) -> Mapping[str, Sequence[Told]]:
        """See Store. A question that never left takes away the line that said it would."""
        wanted = sorted(cases)
        sql = (
            "SELECT case_id, who, sum(iif(kind = 'not sent', -1, 1)), max(at) FROM ledger"
            f" WHERE case_id IN ({', '.join('?' * len(wanted))}) AND kind IN ('told', 'shown', 'asked', 'not sent')"
            " GROUP BY case_id, who ORDER BY case_id, who"
        )
        found: dict[str, list[Told]] = defaultdict(list)
        for case, who, times, last in await self.run(lambda c: c.execute(sql, wanted).fetchall()):
            if times > 0:
                found[case].append(Told(who, times, last))
        return dict(found)

    async def work_about(self, case: str) -> list[Work]:
        """See Store."""
        sql = f"SELECT {WORK} FROM work WHERE subject = ? OR subject > ? AND subject < ? ORDER BY kind, subject"
        its = (case, f"{case} ", f"{case}!")  # subjects of questions begin with the case's id and a blank
        return await self.run(lambda connection: [Work(*row) for row in connection.execute(sql, its)])

    async def inquiries_about(self, cases: Collection_[str]) -> Mapping[str, list[Inquiry]]:
        """See Store."""
        wanted = sorted(cases)
        some = f"status <> ? AND case_id IN ({', '.join('?' * len(wanted))}) ORDER BY case_id, node"
        sql = f"SELECT content FROM inquiries WHERE {some}"
        found: dict[str, list[Inquiry]] = defaultdict(list)
        for (content,) in await self.run(lambda c: c.execute(sql, (WITHDRAWN, *wanted)).fetchall()):
            inquiry = Inquiry.parse(content)
            found[inquiry.case].append(inquiry)
        return dict(found)
