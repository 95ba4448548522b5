"""The public catalogue of collections: what the survey asks, counts in coarse steps, and no case."""

from collections import Counter

from matchmaker.exchange.following import Following
from matchmaker.exchange.messages import Catalogue, CatalogueEntry
from matchmaker.records.collection import DATA_USE, Collection

_STEPS = (10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000)


def coarse(count: int) -> str:
    """Return a count in coarse steps: one case more or less shows at a step only."""
    if count < _STEPS[0]:
        return f"fewer than {_STEPS[0]}"
    return f"{max(step for step in _STEPS if step <= count):,} or more"


async def catalogue(following: Following) -> Catalogue:
    """Return the catalogue."""
    sizes = await following.sizes_by_collection()
    collections = sorted(following.directory.collections.values(), key=lambda one: one.name)
    return Catalogue(collections=tuple(_entry(one, sizes) for one in collections))


def _entry(collection: Collection, sizes: Counter[str]) -> CatalogueEntry:
    told = collection.to_json() | {
        "dataUse": [{"id": code, "label": DATA_USE[code]} for code in collection.data_use],
        "cases": coarse(sizes[collection.name]),
    }
    if collection.subjects is not None:
        told["subjects"] = coarse(collection.subjects)
    return CatalogueEntry.model_validate(told)
