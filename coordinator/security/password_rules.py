"""A wished password → accepted, or what is wrong with it.

NIST SP 800-63B-4 3.1.1.2: length decides, every character is allowed, nothing is asked for by
kind of character, and what attackers try first is refused, words of this place among it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from common.errors import ConfigError

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 128
"""More would only feed whoever wants to keep the hashing busy."""

_LEAST_DIFFERENT = 5
_LEAST_OWN = 6
"""Characters that must be left when every refused word is taken out."""

_MOST_NEIGHBOURS = 0.7
"""Share of characters that may follow the one before on a keyboard or in the alphabet."""

# Stems of the lists that attackers try first, and of what this product is about; digits and
# signs for letters are undone before the comparison.
_REFUSED = (
    "admin", "administrator", "anonymous", "baseball", "basketball", "batman", "boston", "camera",
    "changeme", "charlie", "chelsea", "computer", "coordinator", "correcthorsebatterystaple",
    "dashboard", "default", "dragon", "flower", "football", "freedom", "geheim", "hallo", "hello",
    "iloveyou", "internet", "itscamera", "itscameraai", "jordan", "junction", "letmein",
    "liverpool", "login", "master", "michael", "monkey", "passphrase", "passw", "password",
    "passwort", "pokemon", "princess", "qwerty", "qwertz", "secret", "security", "service",
    "shadow", "signin", "soccer", "starwars", "street", "summer", "sunshine", "superman",
    "superuser", "system", "testtest", "traffic", "trustno", "verkehr", "viewer", "welcome",
    "whatever", "willkommen", "winter",
)  # fmt: skip

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "!@#$%^&*()",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)
_NEIGHBOURS = frozenset(
    pair for row in _ROWS for text in (row, row[::-1]) for pair in pairwise(text)
)
_SEPARATORS = str.maketrans("-_.,;:'", " " * 7)
_AS_LETTERS = str.maketrans("013457@$!|", "oleastasil")


class RefusedPasswordError(ConfigError):
    """A password that others would guess."""


def normalised(password: str) -> str:
    """The same text however a keyboard composed its letters (NFKC, as NIST says)."""
    return unicodedata.normalize("NFKC", password)


def require_good(password: str, *, context: Iterable[str] = ()) -> str:
    """The normalised password.

    Args:
        password: As it was typed.
        context: Words of this account, such as its name and the city's.

    Raises:
        RefusedPasswordError: Too short, too long, or among what is tried first.
    """
    text = normalised(password)
    if not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        raise RefusedPasswordError(
            f"the password has {len(text)} characters, expected {LEAST_CHARACTERS} "
            f"to {MOST_CHARACTERS}",
            hint="several words that do not belong together are long and easy to keep",
        )
    if _is_guessable(text.casefold(), context):
        raise RefusedPasswordError(
            "the password is among the first that others would try, expected one that is not "
            "made of common words, names of this place, rows of keys or repetitions",
            hint="take several words that do not belong together",
        )
    return text


def _is_guessable(text: str, context: Iterable[str]) -> bool:
    if len(set(text)) < _LEAST_DIFFERENT or _is_repetition(text):
        return True
    following = sum(pair in _NEIGHBOURS for pair in pairwise(text))
    if following / (len(text) - 1) > _MOST_NEIGHBOURS:
        return True
    words = sorted({*_REFUSED, *_words_of(context)}, key=len, reverse=True)
    letters = text.translate(_AS_LETTERS)
    squeezed = "".join(letters.translate(_SEPARATORS).split())
    spellings = (text, letters, squeezed)
    return min(_left_over(spelling, words) for spelling in spellings) < _LEAST_OWN


def _is_repetition(text: str) -> bool:
    """One short piece again and again, such as ``abcdabcdabcd``."""
    return (text + text).find(text, 1) < len(text) // 2 + 1


def _left_over(text: str, words: Iterable[str]) -> int:
    """How many characters are somebody's own, once refused words and rows of keys are gone."""
    for word in words:
        text = text.replace(word, " ")
    own = [
        character
        for before, character in zip(" " + text, text, strict=False)
        if not character.isspace() and (before, character) not in _NEIGHBOURS
    ]
    letters = [character for character in own if character.isalpha()]
    return len(letters) + len({character for character in own if not character.isalpha()})


def _words_of(context: Iterable[str]) -> set[str]:
    pieces = {piece for text in context for piece in _split(text.casefold())}
    # Shorter ones are found by accident in good passwords.
    return {piece for piece in pieces if len(piece) >= 4}


def _split(text: str) -> list[str]:
    return [*"".join(c if c.isalnum() else " " for c in text).split(), text]
