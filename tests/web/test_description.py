"""A node describes itself as GA4GH and OpenAPI have it."""

import jsonschema
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from matchmaker.mme.messages import MatchQuery
from matchmaker.mme.validation import validate
from matchmaker.web.app import create_app
from matchmaker.web.description import describe_api
from matchmaker.web.routes import routes
from tests.conftest import RunningNode
from tests.samples import official_patients, patient_json


async def nothing(_request: web.Request) -> web.StreamResponse:
    return web.Response()


async def test_service_info_has_every_mandatory_field(node: RunningNode) -> None:
    async with node.session.get(f"{node.url}/service-info") as response:
        assert response.status == 200
        info = await response.json()
    assert {"id", "name", "type", "organization", "version"} <= info.keys()
    assert info["type"] == {"group": "org.ga4gh", "artifact": "matchmaker-exchange", "version": "1.1"}
    assert {"name", "url"} <= info["organization"].keys()


async def test_the_openapi_document_is_valid_3_1_and_names_every_route(node: RunningNode) -> None:
    async with node.session.get(f"{node.url}/openapi.json") as response:
        document = await response.json()
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    served = {
        (resource.canonical, route.method.lower())
        for resource in create_app(node.exchange).router.resources()
        for route in resource
        if route.method != "HEAD"
    }
    pages = {(route.path, route.method.lower()) for route in routes(nothing) if route.is_page}
    described = {
        (path, method) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert described <= served
    assert served - described <= pages, "what programs ask for is described"
    assert ("/alerts/{token}/unsubscribe", "post") in described, "a mail program does it (RFC 8058)"


def test_the_document_comes_from_the_models_that_validate() -> None:
    schemas = describe_api()["components"]["schemas"]  # type: ignore[index]  # a plain JSON object
    assert schemas["Patient"]["required"] == ["id", "contact"]
    assert schemas["Feature"]["properties"]["observed"]["anyOf"][0]["enum"] == ["yes", "no"]
    features = schemas["Patient"]["properties"]["features"]["anyOf"]
    assert features[0]["maxItems"] == 1000
    assert features[1] == {"type": "null"}, "null means absent"


def test_the_schema_accepts_what_the_node_accepts() -> None:
    document = describe_api()
    schema = {**document["components"]["schemas"]["MatchQuery"], "components": document["components"]}  # type: ignore[index]
    strange = patient_json(test=None, sex=None, contact={"name": "x", "href": "mailto:a@b.c", "email": "a@b.c"})
    for patient in [*official_patients(), strange, {**patient_json(), "sex": None, "_own": 1}]:
        jsonschema.validate({"patient": patient}, schema)
        validate(MatchQuery, {"patient": patient})


async def test_an_unknown_path_says_where_to_look(node: RunningNode) -> None:
    async with node.session.get(f"{node.url}/nothing") as response:
        assert (response.status, (await response.json())["message"]) == (
            404,
            "there is nothing here; see /openapi.json",
        )
