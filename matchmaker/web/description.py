"""What a node says of itself: /service-info and /openapi.json, from the models that validate."""

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from matchmaker import __version__
from matchmaker.exchange.config import Node
from matchmaker.exchange.match_messages import (
    CaseAlerts,
    MatchChange,
    MatchDetail,
    MatchList,
    NodeOutcomes,
    PersonAlerts,
    QuestionList,
)
from matchmaker.exchange.messages import (
    CaseDeposit,
    CaseList,
    CaseView,
    Catalogue,
    DisclosureList,
    Preview,
    SearchAnswer,
    SearchRequest,
)
from matchmaker.mme.media import LATEST, SUPPORTED, media_type
from matchmaker.mme.messages import ErrorBody, Heartbeat, MatchQuery, MatchResponse, Metrics
from matchmaker.records.match import Status
from matchmaker.web.body import json_response
from matchmaker.web.keys import EXCHANGE

_JSON = "application/json"
_TOKEN = [{"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}]
_MME = [media_type(version) for version in SUPPORTED]


_OF_MATCHES = (MatchList, MatchDetail, MatchChange, QuestionList, NodeOutcomes, CaseAlerts, PersonAlerts)


async def service_info(request: web.Request) -> web.Response:
    """GET /service-info (GA4GH service-info 1.0). Public."""
    return json_response(describe_service(request.app[EXCHANGE].config.node))


async def openapi(_request: web.Request) -> web.Response:
    """GET /openapi.json (OpenAPI 3.1). Public."""
    return json_response(describe_api())


def describe_service(node: Node) -> dict[str, object]:
    """Return the service-info of a node."""
    return {
        "id": f"matchmaker.{node.name}",
        "name": f"Matchmaker Exchange node {node.name}",
        "type": {"group": "org.ga4gh", "artifact": "matchmaker-exchange", "version": LATEST},
        "description": "Rare-disease patient matchmaking: phenotypes and candidate genes, federated, never pooled",
        "organization": {"name": node.organization, "url": node.organization_url},
        "contactUrl": node.contact_href,
        "environment": "prod" if node.production else "test",
        "version": __version__,
    }


def describe_api() -> dict[str, object]:
    """Return the OpenAPI 3.1 document of every route that programs ask for; pages for people stay out."""
    spoken: tuple[type[BaseModel], ...] = (MatchQuery, MatchResponse, Heartbeat, Metrics)
    of_cases = (CaseDeposit, CaseView, CaseList, SearchRequest, SearchAnswer, Preview, DisclosureList, Catalogue)
    models: tuple[type[BaseModel], ...] = (*spoken, *of_cases, *_OF_MATCHES, ErrorBody)
    _, schema = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "matchmaker",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "The Matchmaker Exchange API 1.0 and 1.1, and deposits of a node's own users.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schema["$defs"],
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
        "security": [{"token": []}],
    }


def _paths() -> dict[str, object]:
    the_case = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 255}}]
    page: list[dict[str, object]] = [
        {"name": "after", "in": "query", "schema": {"type": "string"}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000}},
        {"name": "known_as", "in": "query", "schema": {"type": "string"}},
    ]
    public: dict[str, object] = {"security": []}
    return {
        "/match": {"post": _operation("Ask for similar cases", 200, MatchResponse, MatchQuery, mme=True)},
        "/heartbeat": {"get": _operation("Tell whether the node is there", 200, Heartbeat, mme=True)},
        "/metrics": {"get": _operation("Count what is available for matching", 200, Metrics, mme=True)},
        "/api/cases": {
            "get": _operation("List one's cases, or find one by an id", 200, CaseList) | {"parameters": page}
        },
        "/api/cases/{id}": {
            "parameters": the_case,
            "put": _operation("Deposit a case: 201 new, 200 changed or the same", 201, CaseView, CaseDeposit, also=200),
            "get": _operation("Read one's case", 200, CaseView),
            "delete": _operation("Withdraw a case for ever", 204, None),
        },
        "/api/cases/{id}/search": {
            "parameters": the_case,
            "post": _operation("Search here and at the peers with a case", 200, SearchAnswer, SearchRequest),
        },
        "/api/cases/{id}/preview": {
            "parameters": the_case,
            "post": _operation("See exactly what each peer would be sent", 200, Preview, SearchRequest),
        },
        "/api/cases/{id}/disclosures": {
            "parameters": the_case,
            "get": _operation("See who was told of a case, or asked about it", 200, DisclosureList)
            | {"parameters": page[:2]},
        },
        "/api/cases/{id}/nodes": {
            "parameters": the_case,
            "get": _operation("See what came of asking each node about a case", 200, NodeOutcomes),
        },
        "/api/cases/{id}/alerts": {
            "parameters": the_case,
            "get": _operation("Read what one wants to be alerted of a case", 200, CaseAlerts),
            "put": _operation("Say what one wants to be alerted of a case", 200, CaseAlerts, CaseAlerts),
        },
        "/api/people/{id}/alerts": {
            "parameters": the_case,
            "get": _operation("Read what a person is alerted of, by address", 200, PersonAlerts),
            "put": _operation("Say what a person is alerted of, and how often", 200, PersonAlerts, PersonAlerts),
        },
        "/api/matches": {"get": _operation("List one's matches", 200, MatchList) | {"parameters": _filters(page[:2])}},
        "/api/matches/{id}": {
            "parameters": the_case,
            "get": _operation("Read a match, whole", 200, MatchDetail),
            "patch": _operation("Follow a match up: status, notes, what it came to", 200, MatchDetail, MatchChange),
        },
        "/api/queries": {
            "get": _operation("See who asked and was told of one's cases", 200, QuestionList)
            | {"parameters": [*page[:2], {"name": "case", "in": "query", "schema": {"type": "string"}}]}
        },
        "/api/collections": {"get": _operation("The collections of this node", 200, Catalogue) | public},
        "/": {"get": _operation("The node's numbers, as a page for people", 200, None) | public},
        "/alerts/{token}": {
            "parameters": _TOKEN,
            "get": _operation("What an address is alerted of, as a page", 200, None) | public,
            "post": _operation("Choose what an address is alerted of", 200, None) | public,
        },
        "/alerts/{token}/unsubscribe": {
            "parameters": _TOKEN,
            "get": _operation("A button that ends mails about matches", 200, None) | public,
            "post": _operation("End mails about matches (RFC 8058)", 200, None) | public,
        },
        "/service-info": {"get": _operation("GA4GH service-info 1.0", 200, None) | public},
        "/openapi.json": {"get": _operation("This document", 200, None) | public},
    }


def _filters(page: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the parameters of GET /api/matches."""
    texts = ("case", "node", "gene", "since")
    named: list[dict[str, object]] = [{"name": one, "in": "query", "schema": {"type": "string"}} for one in texts]
    score = {"type": "number", "minimum": 0, "maximum": 1}
    status = {"type": "string", "enum": [one.value for one in Status]}
    named += [
        {"name": "min_score", "in": "query", "schema": score},
        {"name": "status", "in": "query", "schema": status},
    ]
    return [*page, *named]


def _operation(
    summary: str,
    status: int,
    answer: type[BaseModel] | None,
    body: type[BaseModel] | None = None,
    *,
    mme: bool = False,
    also: int | None = None,
) -> dict[str, object]:
    types = _MME if mme else [_JSON]
    content: dict[str, object] = {"content": _content(answer, types)} if answer else {}
    good = {"description": "Done", **content}
    responses: dict[str, object] = {str(code): good for code in (status, also) if code}
    responses["default"] = {"description": "An error", "content": _content(ErrorBody, types)}
    operation: dict[str, object] = {"summary": summary, "responses": responses}
    if body:
        required = body is not SearchRequest
        operation["requestBody"] = {
            "required": required,
            "content": _content(body, [*types, _JSON] if mme else types),
        }
    return operation


def _content(model: type[BaseModel], types: list[str]) -> dict[str, object]:
    return {name: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}} for name in types}
