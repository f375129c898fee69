from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.encryption import (
    EncryptionManager,
    EnvelopeError,
    SealingKey,
    SigningKey,
    UnsealedHeader,
    parse_envelope,
)
from common.errors import ConfigError
from common.wire import ClockState, Kind
from coordinator.fleet.keyring import KeyRing, KeyUse
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit
START = datetime(2026, 3, 1, tzinfo=UTC)
DAY_S = 86_400


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(START)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def ring(folder: Path, clock: StandingClock) -> KeyRing:
    ring = KeyRing(folder, clock=clock, key_days=90, old_key_days=60)
    ring.turn()
    return ring


def sealed(key: SealingKey) -> bytes:
    box = EncryptionManager(signing=SigningKey.generate(), sealing=key)
    header = UnsealedHeader(
        device="main-aaaaaa",
        kind=Kind.HEALTH,
        epoch=1,
        sequence=1,
        created_at=START,
        clock=ClockState.TRUSTED,
    )
    return box.seal(header, b"{}")


def opened(ring: KeyRing, report: bytes) -> bytes:
    return ring.manager().open(parse_envelope(report))


def test_every_use_has_a_key_in_effect_and_a_next_one(ring: KeyRing) -> None:
    for use in KeyUse:
        starts = [entry.starts_at for entry in ring.entries() if entry.use is use]

        assert [(at - START).days for at in starts] == [0, 90]


def test_turning_again_changes_nothing(ring: KeyRing) -> None:
    before = ring.entries()

    assert not ring.turn()
    assert ring.entries() == before


def test_a_rotation_makes_the_announced_key_count(ring: KeyRing, clock: StandingClock) -> None:
    announced = ring.sealing_offers()[1][0].key_id
    clock.move(1)

    assert ring.rotate(KeyUse.OPENING).id == announced
    assert ring.sealing_offers()[0][0].key_id == announced


def test_reports_sealed_to_old_and_next_keys_are_opened_over_a_rotation(ring: KeyRing) -> None:
    old, following = (sealed(key) for key, _ in ring.sealing_offers())

    assert opened(ring, following) == b"{}"
    ring.rotate(KeyUse.OPENING)
    assert opened(ring, old) == b"{}"
    assert opened(ring, following) == b"{}"


def test_an_old_key_ends_after_its_time_and_its_file_goes(
    ring: KeyRing, folder: Path, clock: StandingClock
) -> None:
    report = sealed(ring.sealing_offers()[0][0])
    first = ring.in_effect(KeyUse.OPENING).id
    ring.rotate(KeyUse.OPENING)

    clock.move(59 * DAY_S)
    ring.turn()
    assert opened(ring, report) == b"{}"
    clock.move(2 * DAY_S)
    ring.turn()

    with pytest.raises(EnvelopeError):
        opened(ring, report)
    assert not list(folder.glob(f"*{first}*"))


def test_the_next_key_takes_over_by_itself(ring: KeyRing, clock: StandingClock) -> None:
    announced = ring.sealing_offers()[1][0].key_id

    clock.move(91 * DAY_S)
    ring.turn()

    assert ring.in_effect(KeyUse.OPENING).id == announced
    assert len(ring.sealing_offers()) == 2


def test_a_rotation_by_another_process_is_noticed(
    ring: KeyRing, folder: Path, clock: StandingClock
) -> None:
    before = ring.order_signing().key_id
    manager = ring.manager()

    KeyRing(folder, clock=clock).rotate(KeyUse.ORDERS)

    assert ring.order_signing().key_id != before
    assert ring.manager() is not manager


def test_boxes_still_believe_orders_signed_just_before_a_rotation(ring: KeyRing) -> None:
    before = ring.order_signing().key_id

    ring.rotate(KeyUse.ORDERS)

    assert before in {key.key_id for key, _ in ring.order_offers()}


def test_a_damaged_calendar_is_told(ring: KeyRing, folder: Path) -> None:
    (folder / "keyring.json").write_text("{")

    with pytest.raises(ConfigError, match="is damaged"):
        ring.entries()


def test_a_ring_without_keys_says_what_to_do(folder: Path, clock: StandingClock) -> None:
    with pytest.raises(ConfigError) as caught:
        KeyRing(folder, clock=clock).order_signing()

    assert "coordinator init" in caught.value.hint
