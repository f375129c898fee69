"""An account → a second factor on a phone (TOTP, RFC 6238), and codes for when it is lost."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO

import pyotp
import segno

from common.encryption import AtRestKey
from common.errors import ConflictError
from common.timing import Clock
from coordinator.security.audit_store import Session
from coordinator.security.factors_store import FactorsStore
from coordinator.security.opaque import digest_of

STEP_S = 30
DRIFT_STEPS = 1
"""RFC 6238 5.2: at most one step, for phones whose clock is a little off."""

RECOVERY_CODES = 10
_RECOVERY_CHARACTERS = 16
"""Of 32 that cannot be mistaken for each other: 80 bits, which no hashing has to slow down."""

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_DIGITS = 6


class CodeVerdict(StrEnum):
    """What became of a code."""

    ACCEPTED = "accepted"
    RECOVERY = "recovery"
    WRONG = "wrong"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFactor:
    """A seed as it is shown once, to be scanned or typed."""

    seed: str = field(repr=False)
    uri: str = field(repr=False)
    qr_svg: str = field(repr=False)


class MultiFactorAuthenticator:
    """Gives out seeds and checks codes; a seed rests encrypted, a code counts once."""

    def __init__(self, key: AtRestKey, *, place: str, clock: Clock) -> None:
        """Keep seeds under ``key``; phones show ``place`` beside the code."""
        self._key = key
        self._place = place
        self._clock = clock

    def begin(self, session: Session, account_id: str, name: str) -> NewFactor:
        """A new seed; it counts once ``confirm`` saw a code of it, until then the old one does."""
        seed = pyotp.random_base32()
        FactorsStore(session).put_waiting(account_id, self._closed(account_id, seed))
        return self._shown(seed, name)

    def waiting(self, session: Session, account_id: str, name: str) -> NewFactor | None:
        """The seed that waits to be confirmed, for a page that is loaded again."""
        row = FactorsStore(session).factor(account_id)
        if row is None or row.waiting_seed is None:
            return None
        return self._shown(self._opened(account_id, row.waiting_seed), name)

    def confirm(self, session: Session, account_id: str, code: str) -> list[str] | None:
        """Take the waiting seed into use.

        Returns:
            Recovery codes, shown once; None for a wrong code.

        Raises:
            ConflictError: No seed waits.
        """
        store = FactorsStore(session)
        row = store.factor(account_id)
        if row is None or row.waiting_seed is None:
            raise ConflictError("no second factor waits to be confirmed", hint="begin again")
        step = self._step_of(self._opened(account_id, row.waiting_seed), code)
        if step is None or not store.confirm(account_id, step=step, now=self._clock.now()):
            return None
        return self.new_recovery_codes(session, account_id)

    def check(self, session: Session, account_id: str, code: str) -> CodeVerdict:
        """Take a code of the phone, or a recovery code, in the caller's transaction."""
        store = FactorsStore(session)
        row = store.factor(account_id)
        if row is None or row.seed is None:
            return CodeVerdict.WRONG
        plain = "".join(code.split()).replace("-", "").lower()
        if len(plain) == _RECOVERY_CHARACTERS:
            digest = _recovery_digest(account_id, plain)
            is_good = store.use_recovery_code(account_id, digest, now=self._clock.now())
            return CodeVerdict.RECOVERY if is_good else CodeVerdict.WRONG
        step = self._step_of(self._opened(account_id, row.seed), plain)
        if step is None:
            return CodeVerdict.WRONG
        is_first = store.use_step(account_id, step)
        return CodeVerdict.ACCEPTED if is_first else CodeVerdict.REPLAYED

    def new_recovery_codes(self, session: Session, account_id: str) -> list[str]:
        """Ten new codes instead of those before."""
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        digests = [_recovery_digest(account_id, code.replace("-", "")) for code in codes]
        FactorsStore(session).put_recovery_codes(account_id, digests)
        return codes

    def _step_of(self, seed: str, code: str) -> int | None:
        """The time step that a code belongs to; every step near now is compared, always."""
        plain = "".join(code.split())
        if len(plain) != _DIGITS or not plain.isascii() or not plain.isdigit():
            return None
        now_step = int(self._clock.now().timestamp()) // STEP_S
        generator = pyotp.TOTP(seed, digits=_DIGITS, interval=STEP_S)
        found = None
        for step in range(now_step - DRIFT_STEPS, now_step + DRIFT_STEPS + 1):
            if hmac.compare_digest(generator.generate_otp(step), plain):
                found = step
        return found

    def _shown(self, seed: str, name: str) -> NewFactor:
        uri = pyotp.TOTP(seed, digits=_DIGITS, interval=STEP_S).provisioning_uri(
            name=name, issuer_name=self._place
        )
        drawn = BytesIO()
        # Own colours: a code of light squares on a dark page is read by few phones.
        segno.make(uri, error="m", micro=False).save(
            drawn, kind="svg", scale=6, border=4, dark="#000", light="#fff", xmldecl=False
        )
        return NewFactor(seed=seed, uri=uri, qr_svg=drawn.getvalue().decode())

    def _closed(self, account_id: str, seed: str) -> bytes:
        return self._key.encrypt(seed.encode(), _context(account_id))

    def _opened(self, account_id: str, closed: bytes) -> str:
        return self._key.decrypt(closed, _context(account_id)).decode()


def _context(account_id: str) -> bytes:
    return f"its/v1 second factor {account_id}".encode()


def _recovery_code() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_CHARACTERS))
    return "-".join(text[n : n + 4] for n in range(0, _RECOVERY_CHARACTERS, 4))


def _recovery_digest(account_id: str, plain: str) -> str:
    return digest_of(f"{account_id} {plain}")
