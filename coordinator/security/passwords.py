"""A password ↔ its argon2id hash; slow on purpose, and never for too many at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from common.errors import UnreachableError
from coordinator.security.password_rules import MOST_CHARACTERS, normalised

MOST_AT_ONCE = 4
"""Each takes 64 MiB (RFC 9106, second recommended option); a flood must not take the machine."""

_PATIENCE_S = 10.0


class Passwords:
    """Makes and checks hashes; safe to share between threads, blocks the calling one."""

    def __init__(self, hasher: Argon2Hasher | None = None) -> None:
        """Hash as argon2-cffi does by default: 64 MiB, three passes, four lanes.

        Args:
            hasher: With other costs, for tests that wait for nobody.
        """
        self._hasher = PasswordHash((hasher or Argon2Hasher(),))
        self._slots = BoundedSemaphore(MOST_AT_ONCE)
        self._nobodys = ""

    def hash(self, password: str) -> str:
        """The hash to keep.

        Raises:
            UnreachableError: Too many are being made.
        """
        with self._slot():
            return self._hasher.hash(normalised(password))

    def check(self, password: str, kept: str | None) -> bool:
        """Tell whether it is the one; takes as long when there is none to compare with.

        Args:
            password: As it was typed.
            kept: The hash; None for accounts that do not exist or have no password.

        Raises:
            UnreachableError: Too many are being checked.
        """
        text = normalised(password)[: MOST_CHARACTERS + 1]
        with self._slot():
            # Made by whoever comes first, known or not, so that its time tells nothing.
            nobodys = self._nobodys = self._nobodys or self._hasher.hash("nobody has this one")
            try:
                is_right = self._hasher.verify(text, kept or nobodys)
            except UnknownHashError:
                return False
            return is_right and kept is not None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=_PATIENCE_S):
            raise UnreachableError(
                f"{MOST_AT_ONCE} passwords are being checked already", hint="try again in a minute"
            )
        try:
            yield
        finally:
            self._slots.release()
