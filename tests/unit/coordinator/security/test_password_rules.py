import pytest

from coordinator.security.password_rules import RefusedPasswordError, require_good

pytestmark = pytest.mark.unit
CONTEXT = ("anna", "springfield", "City of Springfield")


@pytest.mark.parametrize(
    "password",
    [
        "gentle otter paints seven fences",
        "x7#kQ9vL2m$T",
        "Ökonomie lila Löffel",
        "8204 7163 9950 31",
        "тихая выдра красит",
        "z   %  & v /    q = m  h",
        "a" * 3 + "b1c2d3e4f5g6h7" * 8,
    ],
)
def test_length_is_enough_and_every_character_counts(password: str) -> None:
    assert require_good(password, context=CONTEXT) == password


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("Tr0ub4dor&3", id="eleven characters"),
        pytest.param("x" * 64 + "yz" * 33, id="too long"),
        pytest.param("Password1234", id="common, with digits"),
        pytest.param("P4ssw0rd!P4ssw0rd!", id="signs for letters"),
        pytest.param("correct horse battery staple", id="the famous one"),
        pytest.param("qwertyuiop12", id="a row of keys"),
        pytest.param("987654321098", id="counted down"),
        pytest.param("aaaaaaaaaaaa", id="one letter"),
        pytest.param("abcdeabcdeabcde", id="a piece again and again"),
        pytest.param("annaanna2026", id="the account's name"),
        pytest.param("springfield2026", id="the city"),
        pytest.param("traffic camera 2026", id="what the product is about"),
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(RefusedPasswordError):
        require_good(password, context=CONTEXT)


def test_one_spelling_of_a_letter_is_kept() -> None:
    composed, decomposed = (
        "L\u00f6ffel lila \u00d6l und mehr",
        "Lo\u0308ffel lila O\u0308l und mehr",
    )

    assert require_good(composed) == require_good(decomposed)
