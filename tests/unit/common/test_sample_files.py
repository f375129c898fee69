"""The vault: what goes in comes out, nothing readable lies on the disk, and it stays bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from common.at_rest import AtRestKey
from common.road_users import RoadUser
from common.sample_files import LabelSource, Region, Sample, SampleBox, SampleVault

pytestmark = pytest.mark.unit

KEY = AtRestKey(bytes(range(32)))
MORNING = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
CAR = SampleBox(road_user=RoadUser.CAR, cx=0.5, cy=0.5, w=0.2, h=0.1, score=0.8)
PICTURE = b"\xff\xd8 a street with somebody in it " * 30


def sample(
    minute: int = 0,
    *,
    camera: str = "cam-a",
    value: float = 0.5,
    source: LabelSource = LabelSource.TRACKS,
    jpeg: bytes = PICTURE,
) -> Sample:
    return Sample(
        camera=camera,
        taken_at=MORNING + timedelta(minutes=minute),
        source=source,
        boxes=(CAR,),
        ignore=(Region(cx=0.1, cy=0.1, w=0.1, h=0.1),),
        reasons=("uncertain",),
        value=value,
        jpeg=jpeg,
    )


def minutes(vault: SampleVault) -> list[int]:
    return [int((facts.taken_at - MORNING).total_seconds() // 60) for facts in vault.facts()]


def file_bytes() -> int:
    """Size of one sample of the default picture, measured in a vault of its own."""
    return len(SampleVault(Path(), KEY)._closed(sample()))


def test_a_sample_comes_back_as_it_went_in_also_for_another_process(tmp_path: Path) -> None:
    kept = sample()
    SampleVault(tmp_path / "samples", KEY).add(kept)

    assert list(SampleVault(tmp_path / "samples", KEY).read()) == [kept]


def test_no_byte_of_picture_camera_or_class_lies_readable_on_the_disk(tmp_path: Path) -> None:
    SampleVault(tmp_path / "samples", KEY).add(sample())

    (file,) = (tmp_path / "samples").glob("*.sample")
    content = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "samples").stat().st_mode & 0o777 == 0o700
    for secret in (b"street", b"cam-a", b"car", b"uncertain"):
        assert secret not in content
    assert "cam" not in file.name


def test_samples_are_read_oldest_first_however_they_were_added(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY)
    for minute in (3, 1, 2):
        vault.add(sample(minute))

    assert minutes(vault) == [1, 2, 3]


def test_only_labelled_samples_are_read_and_counted_unless_others_are_asked_for(
    tmp_path: Path,
) -> None:
    vault = SampleVault(tmp_path, KEY)
    vault.add(sample(1, source=LabelSource.NONE))
    vault.add(sample(2, source=LabelSource.TEACHER))

    assert vault.count() == 1
    assert vault.count({LabelSource.NONE}) == 1
    assert [each.source for each in vault.read()] == [LabelSource.TEACHER]


def test_new_labels_replace_the_old_ones_of_the_same_sample(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY)
    first = sample(source=LabelSource.NONE)
    vault.add(first)

    vault.add(first.model_copy(update={"source": LabelSource.TEACHER, "boxes": ()}))

    (facts,) = vault.facts()
    assert (facts.id, facts.source, facts.boxes) == (first.id, LabelSource.TEACHER, ())


def test_the_least_valuable_makes_room(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY, most_bytes=3 * file_bytes() + 50)
    for minute, value in enumerate((0.9, 0.2, 0.5)):
        vault.add(sample(minute, value=value))

    was_kept = vault.add(sample(3, value=0.4))

    assert was_kept
    assert minutes(vault) == [0, 2, 3]
    assert vault.size_bytes() <= 3 * file_bytes() + 50


def test_a_sample_worth_less_than_everything_kept_is_not_taken(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY, most_bytes=2 * file_bytes() + 50)
    for minute in (0, 1):
        vault.add(sample(minute, value=0.9))

    assert not vault.add(sample(2, value=0.1))
    assert minutes(vault) == [0, 1]


def test_new_labels_that_find_no_room_take_their_sample_with_them(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY, most_bytes=2 * file_bytes() + 50)
    first = sample(0, value=0.1)
    vault.add(first)
    vault.add(sample(1, value=0.9))

    was_kept = vault.add(first.model_copy(update={"boxes": (CAR,) * 20}))

    assert not was_kept
    assert minutes(vault) == [1]


def test_the_camera_that_holds_most_makes_room_whatever_the_values(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY, most_bytes=3 * file_bytes() + 50)
    vault.add(sample(0, camera="cam-a", value=0.9))
    vault.add(sample(1, camera="cam-a", value=0.8))
    vault.add(sample(2, camera="cam-b", value=0.1))

    vault.add(sample(3, camera="cam-b", value=0.2))

    assert minutes(vault) == [0, 2, 3]


def test_what_a_technician_labelled_goes_last(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY, most_bytes=2 * file_bytes() + 80)
    vault.add(sample(0, value=0.0, source=LabelSource.TECHNICIAN))
    vault.add(sample(1, value=0.9))

    vault.add(sample(2, value=0.95))

    assert minutes(vault) == [0, 2]


@pytest.mark.parametrize("left", [0, 3, 24, 60, -1], ids=lambda n: f"{n} bytes left")
def test_a_torn_file_is_dropped_with_a_word_and_the_others_stay(tmp_path: Path, left: int) -> None:
    SampleVault(tmp_path, KEY).add(sample(0))
    (torn,) = tmp_path.glob("*.sample")
    SampleVault(tmp_path, KEY).add(sample(1))
    torn.write_bytes(torn.read_bytes()[:left])

    with capture_logs() as logs:
        read = list(SampleVault(tmp_path, KEY).read())

    assert [each.taken_at for each in read] == [sample(1).taken_at]
    assert not torn.exists()
    assert [(line["event"], line["deleted"]) for line in logs] == [("sample_dropped", True)]


def test_a_file_under_another_name_is_no_sample(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path, KEY)
    vault.add(sample())
    (file,) = tmp_path.glob("*.sample")
    file.rename(tmp_path / f"{'0' * 16}.sample")

    assert list(SampleVault(tmp_path, KEY).read()) == []


def test_files_of_another_key_are_neither_read_nor_deleted(tmp_path: Path) -> None:
    other = SampleVault(tmp_path, AtRestKey(bytes(32)))
    other.add(sample(0))

    vault = SampleVault(tmp_path, KEY)
    vault.add(sample(1))

    assert minutes(vault) == [1]
    assert minutes(other) == [0]


def test_what_a_power_cut_left_half_written_is_swept_by_the_next_sample(tmp_path: Path) -> None:
    left = tmp_path / f".{'a' * 16}.sample.{'b' * 16}"
    left.write_bytes(b"half")

    SampleVault(tmp_path, KEY).add(sample())

    assert not left.exists()


def test_an_empty_place_holds_nothing(tmp_path: Path) -> None:
    vault = SampleVault(tmp_path / "nowhere", KEY)

    assert vault.count() == 0
    assert list(vault.read()) == []
    assert not (tmp_path / "nowhere").exists()


def test_a_picture_without_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="picture of 0 bytes"):
        sample(jpeg=b"")
