"""Every route, and whom it lets in: one table. A page is given the visit of somebody whose role was checked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from matchmaker.web import case_api, description, matches_api, mme_api
from matchmaker.web.pages import (
    alerts,
    cases,
    frame,
    importing,
    matches,
    operators,
    settings,
    shared,
    sign_in,
    terms,
)
from matchmaker.web.pages.access import PageHandler
from matchmaker.web.roles import Access

_DOCUMENTS = ("/service-info", "/openapi.json")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PAGES = frozenset({Access.SIGNED_IN, Access.CASES, Access.OPERATOR})


@dataclass(frozen=True, slots=True)
class Route:
    """A method and path, what answers, and for whom. `is_page`: it answers people, in HTML, errors too."""

    method: str
    path: str
    handler: Handler | PageHandler
    access: Access
    is_page: bool = False
    has_head: bool = False


def _api(method: str, path: str, handler: Handler, access: Access) -> Route:
    return Route(method, path, handler, access, has_head=path in _DOCUMENTS)


def _page(method: str, path: str, handler: Handler | PageHandler, access: Access) -> Route:
    return Route(method, path, handler, access, is_page=True, has_head=method == "GET")


def routes(numbers: Handler) -> tuple[Route, ...]:
    """Return the table. `numbers` answers GET /."""
    node, depositor = Access.NODE, Access.DEPOSITOR
    public, link, signed_in = Access.PUBLIC, Access.LINK, Access.SIGNED_IN
    of_cases, operator = Access.CASES, Access.OPERATOR
    return (
        _api("POST", "/match", mme_api.match, node),
        _api("GET", "/heartbeat", mme_api.heartbeat, node),
        _api("GET", "/metrics", mme_api.metrics, node),
        _api("GET", "/api/cases", case_api.get_cases, depositor),
        _api("PUT", "/api/cases/{id}", case_api.put_case, depositor),
        _api("GET", "/api/cases/{id}", case_api.get_case, depositor),
        _api("DELETE", "/api/cases/{id}", case_api.delete_case, depositor),
        _api("POST", "/api/cases/{id}/search", case_api.search_case, depositor),
        _api("POST", "/api/cases/{id}/preview", case_api.preview_case, depositor),
        _api("GET", "/api/cases/{id}/disclosures", case_api.get_disclosures, depositor),
        _api("GET", "/api/cases/{id}/nodes", matches_api.get_nodes, depositor),
        _api("GET", "/api/cases/{id}/alerts", matches_api.get_case_alerts, depositor),
        _api("PUT", "/api/cases/{id}/alerts", matches_api.put_case_alerts, depositor),
        _api("GET", "/api/people/{id}/alerts", matches_api.get_person_alerts, depositor),
        _api("PUT", "/api/people/{id}/alerts", matches_api.put_person_alerts, depositor),
        _api("GET", "/api/matches", matches_api.get_matches, depositor),
        _api("GET", "/api/matches/{id}", matches_api.get_match, depositor),
        _api("PATCH", "/api/matches/{id}", matches_api.patch_match, depositor),
        _api("GET", "/api/queries", matches_api.get_queries, depositor),
        _api("GET", "/api/collections", case_api.get_collections, public),
        _api("GET", "/service-info", description.service_info, public),
        _api("GET", "/openapi.json", description.openapi, public),
        _page("GET", "/", numbers, public),
        _page("GET", "/static/{name}", frame.static, public),
        _page("GET", "/sign-in", sign_in.get, public),
        _page("POST", "/sign-in", sign_in.post, public),
        _page("POST", "/sign-in/code", sign_in.post_code, public),
        _page("GET", "/sign-in/provider", sign_in.get_provider, public),
        _page("GET", "/sign-in/provider/back", sign_in.get_provider_back, public),
        _page("GET", "/register", sign_in.get_register, public),
        _page("POST", "/register", sign_in.post_register, public),
        _page("GET", "/invitation/{token}", sign_in.get_invitation, link),
        _page("POST", "/invitation/{token}", sign_in.post_invitation, link),
        _page("GET", "/alerts/{token}", alerts.get, link),
        _page("POST", "/alerts/{token}", alerts.post, link),
        _page("GET", "/alerts/{token}/unsubscribe", alerts.get_unsubscribe, link),
        _page("POST", "/alerts/{token}/unsubscribe", alerts.post_unsubscribe, link),
        _page("POST", "/sign-out", sign_in.post_sign_out, signed_in),
        _page("GET", "/start", sign_in.get_start, signed_in),
        _page("GET", "/agreement", sign_in.get_agreement, signed_in),
        _page("POST", "/agreement", sign_in.post_agreement, signed_in),
        _page("GET", "/settings", settings.get_settings, signed_in),
        _page("POST", "/settings", settings.post_settings, signed_in),
        _page("POST", "/settings/password", settings.post_password, signed_in),
        _page("POST", "/settings/sessions", settings.post_sign_out_everywhere, signed_in),
        _page("GET", "/settings/second-factor", settings.get_second_factor, signed_in),
        _page("POST", "/settings/second-factor", settings.post_second_factor, signed_in),
        _page("GET", "/terms", terms.get_terms, of_cases),
        _page("GET", "/genes", terms.get_genes, of_cases),
        _page("GET", "/cases", cases.get_cases, of_cases),
        _page("GET", "/cases/new", cases.get_new, of_cases),
        _page("POST", "/cases/new", cases.post_new, of_cases),
        _page("GET", "/cases/import", importing.get_import, of_cases),
        _page("POST", "/cases/import", importing.post_import, of_cases),
        _page("POST", "/cases/import/confirm", importing.post_confirm, of_cases),
        _page("GET", "/cases/{id}", cases.get_case, of_cases),
        _page("GET", "/cases/{id}/progress", cases.get_progress, of_cases),
        _page("GET", "/cases/{id}/edit", cases.get_edit, of_cases),
        _page("POST", "/cases/{id}/edit", cases.post_edit, of_cases),
        _page("GET", "/cases/{id}/preview", cases.get_preview, of_cases),
        _page("GET", "/cases/{id}/withdraw", cases.get_withdraw, of_cases),
        _page("POST", "/cases/{id}/withdraw", cases.post_withdraw, of_cases),
        _page("POST", "/cases/{id}/search", cases.post_search, of_cases),
        _page("POST", "/cases/{id}/alerts", cases.post_alerts, of_cases),
        _page("GET", "/cases/{id}/shared", shared.get_case_shared, of_cases),
        _page("GET", "/cases/{id}/report", shared.get_report, of_cases),
        _page("GET", "/matches", matches.get_matches, of_cases),
        _page("GET", "/matches/{id}", matches.get_match, of_cases),
        _page("POST", "/matches/{id}", matches.post_match, of_cases),
        _page("GET", "/shared", shared.get_shared, of_cases),
        _page("GET", "/operators", operators.get_node, operator),
        _page("GET", "/operators/peers/{name}/heartbeat", operators.get_heartbeat, operator),
        _page("POST", "/operators/clients/{name}/revoke", operators.post_revoke, operator),
        _page("GET", "/operators/people", operators.get_people, operator),
        _page("POST", "/operators/people", operators.post_people, operator),
        _page("GET", "/operators/mails", operators.get_mails, operator),
        _page("POST", "/operators/mails/{id}/retry", operators.post_retry, operator),
    )
