"""Made-up bytes → the envelope and order parsers, which must answer each with a reason.

    python -m tests.fuzz.fuzz_envelope --count 100000 --seed 7
    python -m tests.fuzz.fuzz_envelope --atheris corpus/    (coverage-guided, needs atheris)

Random bytes, envelopes with bytes changed, cut, doubled, spliced and with lengths made up,
and, so that what lies behind the signature is reached too, wrong content that is rightly signed.
Anything but an ``EnvelopeError`` is a fault and ends the run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import zstandard

from common import encryption
from common.encryption import (
    EncryptionManager,
    EnvelopeError,
    Header,
    OpeningKey,
    SigningKey,
    UnsealedHeader,
    parse_envelope,
    read_order,
    sign_order,
    verify_envelope,
)
from common.envelope import header_to_json, signed_envelope
from common.wire import Kind

TAKEN = "taken"
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5C, 0x7B, 0x7D)


@dataclass(frozen=True, slots=True)
class Target:
    """One box, one coordinator, and what they say when nobody interferes."""

    signing: SigningKey = field(default_factory=SigningKey.generate)
    opening: OpeningKey = field(default_factory=OpeningKey.generate)

    def envelope(self) -> bytes:
        """An envelope that is in order."""
        box = EncryptionManager(signing=self.signing, sealing=self.opening.public)
        return box.seal(self._header(), b'{"bins":[]}' * 20)

    def order(self) -> bytes:
        """An order that is in order."""
        return sign_order(self.signing, b'{"stored":[1,2,3]}')

    def signed_rubbish(self, chance: random.Random) -> bytes:
        """Wrong content under a right signature, as a broken or bought box would send it."""
        ours, strange = self.opening.key_id, "0123456789abcdef"
        header = Header.of(
            self._header(),
            sealed_to=strange if chance.random() < 0.1 else ours,
            signed_by=self.signing.key_id,
        )
        header_json = header_to_json(header)
        packed = mutated(zstandard.compress(b'{"bins":[]}' * chance.randrange(1, 2_000)), chance)
        body = encryption._SUITE.encrypt(
            packed, self.opening.public.key, info=encryption._info(header_json)
        )
        accident = chance.randrange(3)
        if accident == 1:
            header_json = mutated(header_json, chance)[:1_024]
        elif accident == 2:
            header_json = header_json.replace(b",", chance.choice((b", ", b",\n", b" ,")))
        return signed_envelope(header_json, body, self.signing)

    def feed(self, data: bytes) -> str:
        """The reason for which the data were refused, or ``taken``."""
        reasons = []
        for parse in (self._take_envelope, self._take_order):
            try:
                parse(data)
            except EnvelopeError as error:
                reasons.append(str(error.reason))
        return TAKEN if len(reasons) < 2 else reasons[0]

    def _take_envelope(self, data: bytes) -> None:
        envelope = parse_envelope(data)
        verify_envelope(envelope, self.signing.public)
        EncryptionManager(opening=[self.opening]).open(envelope)

    def _take_order(self, data: bytes) -> None:
        read_order(data, {self.signing.key_id: self.signing.public})

    @staticmethod
    def _header() -> UnsealedHeader:
        return UnsealedHeader(
            device="box-1",
            kind=Kind.BINS,
            epoch=1,
            sequence=1,
            created_at=datetime(2026, 5, 4, tzinfo=UTC),
        )


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The data after one to four small accidents."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        accident = chance.randrange(6)
        if accident == 0:
            del changed[at:]
        elif accident == 1:
            changed[at:at] = chance.randbytes(chance.randint(1, 8))
        elif accident == 2:
            changed[at:at] = changed[chance.randrange(len(changed) + 1) :]
        elif accident == 3:
            del changed[at : at + chance.randint(1, 8)]
        elif at < len(changed):
            is_bit = accident == 4
            changed[at] = (
                changed[at] ^ (1 << chance.randrange(8)) if is_bit else chance.choice(INTERESTING)
            )
    return bytes(changed)


def unsigned_inputs(
    envelope: bytes, order: bytes, chance: random.Random
) -> Sequence[Callable[[], bytes]]:
    """Ways to make up bytes that nobody signed; those that reach deeper stand twice."""

    def with_made_up_lengths() -> bytes:
        start = envelope[:5] if chance.random() < 0.5 else order[:5]
        lengths = chance.choice((chance.randbytes(6), bytes(6), b"\xff" * 6))
        return start + lengths + envelope[11 : chance.randrange(11, len(envelope))]

    return (
        lambda: chance.randbytes(chance.randrange(0, 3_000)),
        lambda: envelope[:5] + chance.randbytes(chance.randrange(0, 3_000)),
        lambda: order[:5] + chance.randbytes(chance.randrange(0, 300)),
        lambda: mutated(envelope, chance),
        lambda: mutated(envelope, chance),
        lambda: mutated(order, chance),
        lambda: envelope[: chance.randrange(len(envelope))],
        with_made_up_lengths,
    )


def fuzz(count: int, seed: int) -> Counter[str]:
    """How often each reason was given.

    Raises:
        AssertionError: Something was taken that nobody signed.
    """
    target, chance = Target(), random.Random(seed)  # noqa: S311 - repeatable, no secrets
    sound = (target.envelope(), target.order())
    ways = unsigned_inputs(*sound, chance)
    reasons: Counter[str] = Counter()
    for _ in range(count):
        is_signed = chance.random() < 0.1
        data = target.signed_rubbish(chance) if is_signed else chance.choice(ways)()
        try:
            reason = target.feed(data)
            # Some accidents change nothing, and some signed rubbish is a frame after all.
            assert reason != TAKEN or is_signed or data in sound, "taken though nobody signed it"
        except Exception as error:
            # Sealing draws on the system's own chance: the seed alone would not bring it back.
            error.add_note(f"input: {data.hex()}")
            raise
        reasons[reason] += 1
    return reasons


def fuzz_with_atheris(arguments: Sequence[str]) -> None:
    """Let libFuzzer look for new paths until it is stopped."""
    import atheris  # noqa: PLC0415 - optional

    # Our modules are in memory already: they must be read again to be watched.
    for name in [name for name in sys.modules if name.partition(".")[0] in ("common", "tests")]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["common"]):
        watched = importlib.import_module("tests.fuzz.fuzz_envelope")
    atheris.Setup([sys.argv[0], *arguments], watched.Target().feed)
    atheris.Fuzz()


def main() -> None:
    """Parse the command line, fuzz, and print the reasons as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", nargs=argparse.REMAINDER, help="arguments for libFuzzer")
    options = parser.parse_args()
    if options.atheris is not None:
        fuzz_with_atheris(options.atheris)
        return
    started_s = time.monotonic()
    reasons = fuzz(options.count, options.seed)
    result = {
        "inputs": options.count,
        "seed": options.seed,
        "seconds": round(time.monotonic() - started_s, 1),
        "reasons": dict(reasons.most_common()),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
