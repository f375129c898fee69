from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from common.ids import LABEL_PATTERN, PATTERN_MEANINGS, SLUG_PATTERN, Label, Slug

pytestmark = pytest.mark.unit

SLUG: TypeAdapter[str] = TypeAdapter(Slug)
LABEL: TypeAdapter[str] = TypeAdapter(Label)


def is_valid(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        pytest.param("a", True, id="one letter"),
        pytest.param("cam-north_2", True, id="every kind of character"),
        pytest.param("a" * 64, True, id="64 characters"),
        pytest.param("a" * 65, False, id="65 characters"),
        pytest.param("", False, id="empty"),
        pytest.param("Cam", False, id="capital"),
        pytest.param("-cam", False, id="starts with a dash"),
        pytest.param("cam-", False, id="ends with a dash"),
        pytest.param("cam north", False, id="space"),
        pytest.param("cam/../x", False, id="path"),
        pytest.param("cam\n", False, id="line end"),
        pytest.param("cäm", False, id="umlaut"),
    ],
)
def test_a_slug_is_safe_anywhere(text: str, valid: bool) -> None:
    assert is_valid(SLUG, text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        pytest.param("north-leg", True, id="plain"),
        pytest.param("A5: km 12.3/east", True, id="as on a road sign"),
        pytest.param("Königstraße", True, id="umlaut"),
        pytest.param("x" * 64, True, id="64 characters"),
        pytest.param("x" * 65, False, id="65 characters"),
        pytest.param("", False, id="empty"),
        pytest.param(" north", False, id="starts with a space"),
        pytest.param("<b>", False, id="markup"),
        pytest.param("a\nb", False, id="two lines"),
    ],
)
def test_a_label_is_what_people_write(text: str, valid: bool) -> None:
    assert is_valid(LABEL, text) is valid


@given(st.from_regex(SLUG_PATTERN, fullmatch=True))
def test_every_slug_stays_one_plain_path_segment(text: str) -> None:
    slug = SLUG.validate_python(text)

    assert re.fullmatch(r"[a-z0-9_-]{1,64}", slug)
    assert LABEL.validate_python(slug) == slug


def test_every_pattern_is_explained_in_words() -> None:
    assert set(PATTERN_MEANINGS) == {SLUG_PATTERN, LABEL_PATTERN}
