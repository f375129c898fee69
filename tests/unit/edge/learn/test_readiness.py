"""The kernel's files → readings → a verdict with every value and limit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.learn.readiness import SampleCounts, is_within, judge
from edge.learn.settings import LearnSettings, ReadinessSettings
from edge.sensors import Reading, Sensors

pytestmark = pytest.mark.unit

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
WELL = Reading(temperature_c=50.0, is_on_mains=True, power_w=8.0, load=0.3, free_memory_mb=4000.0)
PLENTY = SampleCounts(labelled=60, technician=5)


def put(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def settings(**limits: object) -> LearnSettings:
    return LearnSettings(readiness=ReadinessSettings.model_validate(limits))


def reasons(reading: Reading, *, counts: SampleCounts = PLENTY, **limits: object) -> list[str]:
    return list(judge(reading, counts, settings(**limits), now=NOON).reasons)


def test_a_cool_powered_idle_box_with_samples_is_ready() -> None:
    assert judge(WELL, PLENTY, settings(), now=NOON).is_ready


@pytest.mark.parametrize(
    ("reading", "limits", "reason"),
    [
        pytest.param(Reading(temperature_c=76.0), {}, "temperature", id="hot"),
        pytest.param(Reading(is_on_mains=False), {}, "mains", id="on battery"),
        pytest.param(Reading(power_w=16.0), {"most_power_w": 15}, "power", id="draws too much"),
        pytest.param(Reading(load=0.9), {}, "load", id="busy"),
        pytest.param(Reading(free_memory_mb=900.0), {}, "memory", id="full"),
        pytest.param(Reading(), {"window": "22:00-05:00"}, "window", id="at noon"),
    ],
)
def test_one_value_beyond_its_limit_keeps_a_box_from_training(
    reading: Reading, limits: dict[str, object], reason: str
) -> None:
    assert reasons(reading, **limits) == [reason]


def test_too_few_samples_keep_a_box_from_training() -> None:
    assert reasons(WELL, counts=SampleCounts(labelled=49, technician=0)) == ["samples"]


def test_what_a_box_cannot_measure_is_told_as_not_known_and_the_setting_decides() -> None:
    nothing = Reading()

    verdicts = {
        check.name: (check.value, check.verdict)
        for check in judge(nothing, PLENTY, settings(), now=NOON).checks
    }
    assert verdicts["temperature"] == (None, "not_known")
    assert reasons(nothing, when_unknown="go") == []
    assert reasons(nothing, when_unknown="wait") == ["temperature", "mains", "load", "memory"]


def test_training_goes_on_although_it_takes_memory_and_ends_when_the_box_gets_hot() -> None:
    full = judge(Reading(free_memory_mb=100.0), PLENTY, settings(), now=NOON)
    hot = judge(Reading(temperature_c=80.0), PLENTY, settings(), now=NOON)

    assert (full.is_ready, full.may_go_on) == (False, True)
    assert (hot.is_ready, hot.may_go_on) == (False, False)


def test_the_note_holds_value_limit_and_verdict_of_every_check() -> None:
    note = judge(WELL, PLENTY, settings(), now=NOON).note()

    first = note.checks[0]
    assert (first.name, first.value, first.limit, first.unit, first.verdict) == (
        "temperature",
        50.0,
        75.0,
        "C",
        "ok",
    )
    assert (note.is_ready, note.samples, note.checked_at) == (True, 60, NOON)


@pytest.mark.parametrize(
    ("hour", "window", "inside"),
    [
        pytest.param(23, "22:00-05:00", True, id="before midnight"),
        pytest.param(4, "22:00-05:00", True, id="after midnight"),
        pytest.param(5, "22:00-05:00", False, id="its end"),
        pytest.param(12, "22:00-05:00", False, id="noon"),
        pytest.param(9, "09:00-17:00", True, id="its start"),
        pytest.param(18, "09:00-17:00", False, id="evening"),
    ],
)
def test_a_window_may_pass_midnight(hour: int, window: str, inside: bool) -> None:
    assert is_within(datetime(2026, 6, 1, hour, 0, tzinfo=UTC), window) is inside


def test_the_window_is_in_the_time_of_the_place() -> None:
    place = LearnSettings(timezone="Asia/Tokyo", readiness=ReadinessSettings(window="21:00-22:00"))

    assert judge(WELL, PLENTY, place, now=NOON).is_ready  # noon in UTC is 21:00 in Tokyo


def test_the_hottest_zone_counts_and_broken_ones_do_not(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "51500")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "63250")
    put(tmp_path, "sys/class/thermal/thermal_zone2/temp", "-256000")
    put(tmp_path, "sys/class/thermal/thermal_zone3/temp", "n/a")

    assert Sensors(tmp_path).temperature_c() == 63.25


@pytest.mark.parametrize(
    ("supplies", "is_on_mains"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"AC/type": "Mains", "AC/online": "1"}, True, id="plugged in"),
        pytest.param({"AC/type": "Mains", "AC/online": "0"}, False, id="pulled out"),
        pytest.param({"BAT0/type": "Battery", "BAT0/status": "Discharging"}, False, id="draining"),
        pytest.param({"BAT0/type": "Battery", "BAT0/status": "Full"}, True, id="full"),
    ],
)
def test_mains_is_known_from_the_supplies(
    tmp_path: Path, supplies: dict[str, str], is_on_mains: bool | None
) -> None:
    for name, text in supplies.items():
        put(tmp_path, f"sys/class/power_supply/{name}", text)

    assert Sensors(tmp_path).is_on_mains() is is_on_mains


def test_power_is_read_off_the_rail_of_the_whole_board(tmp_path: Path) -> None:
    for name, text in {
        "name": "ina3221",
        "in1_label": "VDD_CPU",
        "in1_input": "5000",
        "curr1_input": "900",
        "in2_label": "VDD_IN",
        "in2_input": "5000",
        "curr2_input": "1600",
    }.items():
        put(tmp_path, f"sys/class/hwmon/hwmon3/{name}", text)

    assert Sensors(tmp_path).power_w() == 8.0


def test_load_is_what_others_use_and_background_work_is_not_counted(tmp_path: Path) -> None:
    put(tmp_path, "proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0")
    sensors = Sensors(tmp_path)
    first = sensors.load()
    # 20 ticks of others, 30 of niced work, 50 of nothing.
    put(tmp_path, "proc/stat", "cpu  110 30 10 140 10 0 0 0 0 0")

    assert first is None
    assert sensors.load() == 0.2


def test_free_memory_is_what_is_available(tmp_path: Path) -> None:
    put(tmp_path, "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable:  1000000 kB")

    assert Sensors(tmp_path).free_memory_mb() == 1024.0


def test_a_machine_without_any_of_it_knows_nothing(tmp_path: Path) -> None:
    assert Sensors(tmp_path).read() == Reading()


@pytest.mark.parametrize("window", ["22:00", "22-5", "25:00-05:00", "10:00-10:00"])
def test_a_window_that_is_none_is_refused(window: str) -> None:
    with pytest.raises(ValueError, match="expected two times"):
        ReadinessSettings(window=window)


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one such as"):
        LearnSettings(timezone="Mars/Olympus")
