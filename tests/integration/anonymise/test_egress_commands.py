"""``edge egress`` on the files of an agent: words for people, JSON for programs, exit code 4."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from common.cli import run
from edge.anonymise.egress_entry import Leaving
from edge.anonymise.egress_log import EgressLimits, EgressLog
from edge.egress_commands import app
from tests.fakes.clocks import StandingClock
from tests.unit.anonymise.stored_bins import EIGHT

pytestmark = pytest.mark.integration


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a box; its data folder is empty."""
    path = tmp_path / "edge.yaml"
    path.write_text("site_file: site.yaml\ndata_folder: data\n")
    return path


def egress_of(config: Path) -> Path:
    return config.parent / "data" / "egress"


def write(folder: Path, *leaving: Leaving, **limits: int) -> str:
    clock = StandingClock(EIGHT)
    log = EgressLog(folder, clock=clock, limits=EgressLimits(**limits))
    for what in leaving:
        clock.move(60)
        log.append(what)
    log.close()
    return log.head


def bins(sequence: int) -> Leaving:
    return Leaving(
        kind="bins",
        device="box-1",
        epoch=1,
        sequence=sequence,
        size_bytes=1875,
        sha256=hashlib.sha256(bytes([sequence])).hexdigest(),
        cameras=("north", "south"),
        items=4,
        first_at=EIGHT,
        last_at=EIGHT + timedelta(minutes=2),
    )


PREVIEW = Leaving(
    kind="preview",
    size_bytes=90_000,
    cameras=("north",),
    items=1,
    first_at=EIGHT,
    last_at=EIGHT + timedelta(minutes=1),
)


def ended(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        run(app, arguments)
    return int(end.value.code or 0)


def test_show_says_what_left_in_words(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    write(egress_of(config), bins(1), Leaving(kind="health", device="box-1", size_bytes=1400))
    write(egress_of(config) / "previews", replace(PREVIEW, items=0), PREVIEW)

    code = ended(["show", "--config", str(config)])

    out = capsys.readouterr().out
    assert code == 0
    assert "2026-03-02 08:01:00" in out
    assert "Counts, 4 intervals, cameras north, south, 2026-03-02 08:00 to 08:02 UTC" in out
    assert "How the box is doing" in out
    assert "Redacted live view on the box itself begins, camera north" in out
    assert "Redacted live view on the box itself, 1 picture, camera north" in out


def test_show_prints_the_last_ones_and_says_how_many_are_left(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(egress_of(config), *(bins(sequence) for sequence in range(1, 6)))

    ended(["show", "--config", str(config), "--last", "2"])

    assert "3 earlier entries" in capsys.readouterr().out


def test_show_as_json_has_every_field_of_an_entry(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = write(egress_of(config), bins(1))

    ended(["show", "--config", str(config), "--json"])

    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert entry["link"] == head
    assert {key: entry[key] for key in ("index", "device", "epoch", "sequence", "size_bytes")} == {
        "index": 1,
        "device": "box-1",
        "epoch": 1,
        "sequence": 1,
        "size_bytes": 1875,
    }


def test_verify_says_that_the_chain_is_whole(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = write(egress_of(config), bins(1), bins(2))

    code = ended(["verify", "--config", str(config)])

    out = capsys.readouterr().out
    assert code == 0
    assert "egress: entries 1 to 2 are whole and in order" in out
    assert head in out


def test_verify_says_from_where_on_the_chain_can_be_checked(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(egress_of(config), *(bins(n) for n in range(1, 13)), file_bytes=1000, files=2)

    code = ended(["verify", "--config", str(config)])

    assert code == 0
    assert "were deleted to save space and cannot be checked" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["egress", "egress/previews"])
def test_verify_ends_with_code_4_when_an_entry_was_altered(
    config: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(egress_of(config), bins(1))
    path = config.parent / "data" / folder
    write(path, bins(2), bins(3))
    file = next(path.glob("*.jsonl"))
    file.write_bytes(file.read_bytes().replace(b'"items":4', b'"items":5'))

    code = ended(["verify", "--config", str(config)])

    assert code == 4
    assert "does not fit its own link" in capsys.readouterr().err


def test_verify_against_a_link_that_the_coordinator_keeps(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = write(egress_of(config), bins(1))

    assert ended(["verify", "--config", str(config), "--head", head]) == 0
    assert ended(["verify", "--config", str(config), "--head", "ab" * 32]) == 4
    assert "cut off or rewritten" in capsys.readouterr().err


def test_verify_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = write(egress_of(config), bins(1))

    ended(["verify", "--config", str(config), "--json"])

    assert json.loads(capsys.readouterr().out)["egress"] == {
        "is_whole": True,
        "entries": 1,
        "first_index": 1,
        "head": head,
        "fault": "",
        "torn_bytes": 0,
    }


def test_a_box_that_never_sent_anything_says_so(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["show", "--config", str(config)]) == 6
    assert "no egress log" in capsys.readouterr().err
