import pytest
from starlette.requests import Request

from coordinator.security.authentication import ForgedRequestError
from coordinator.security.next_page import local_path, refuse_foreign_form

pytestmark = pytest.mark.unit


def request(**headers: str) -> Request:
    named = {"host": "its.example", **{k.replace("_", "-"): v for k, v in headers.items()}}
    raw = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    return Request({"type": "http", "method": "POST", "headers": raw, "path": "/sign-in"})


@pytest.mark.parametrize("path", ["/", "/quality?site=elm&day=2026-03-14", "/sites/elm#top"])
def test_pages_of_ours_are_gone_back_to(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example",
        "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", " //evil.example",
        "javascript:alert(1)", "evil.example", "", "?x", "http:evil.example", "/" + "a" * 600,
        "//[", "/\u2028/evil.example",
    ],
    ids=repr,
)  # fmt: skip
def test_everything_else_leads_to_the_first_page(wanted: str) -> None:
    assert local_path(wanted) == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://its.example", "sec_fetch_site": "same-origin"},
        {"origin": "http://its.example"},
        {"sec_fetch_site": "none"},
        {},
    ],
    ids=str,
)
def test_our_own_forms_are_taken(headers: dict[str, str]) -> None:
    refuse_foreign_form(request(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://its.example.evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "https://its.example"},
        {"origin": "https://its.example:8443"},
    ],
    ids=str,
)
def test_forms_of_another_place_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ForgedRequestError):
        refuse_foreign_form(request(**headers))
