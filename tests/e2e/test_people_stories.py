"""What people come for: each story is told in a real browser, to a coordinator that serves.

Everybody signs in on the page with a password and the code of a phone. The stories of one town
leave deeds behind; the last one reads them in the audit log.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from coordinator.demo_processes import run_command
from tests.fakes.bent_audit import flip_one_bit
from tests.fakes.browser import CHROMIUM, browser
from tests.fakes.model_city import ModelCity
from tests.fakes.sending_box import eventually
from tests.fakes.story_agent import CAMERA, SITE, counting_agent
from tests.fakes.story_bench import RUN, VERSION, WEIGHTS
from tests.fakes.story_people import visit
from tests.fakes.story_town import Town, serving_town, turned, yesterday
from tests.fakes.traffic_city import SITE as JUNCTION
from tests.fakes.traffic_city import TENANT

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine"),
]

NOTE = "The lens is covered by a leaf; a colleague saw it."
DRAWN = "drawn by tom"
SOON_MS = 120_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with serving_town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def confirmed(town: Town, chromium: Browser) -> Path:
    """Vera's story; the sheet that she took with her."""
    kept = town.folder / "movements.csv"
    with visit(chromium, town.url, town.people["vera"], "/quality") as watched:
        page = watched.page
        finding = page.locator(".finding", has_text="north-leg").first
        expect(finding).to_contain_text("Open", timeout=SOON_MS)
        finding.locator(".finding__sentence a").click()
        page.get_by_role("textbox", name="Note").fill(NOTE)
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator("#notes")).to_contain_text(NOTE)
        expect(page.locator("#notes")).to_contain_text("vera")
        expect(page.locator("#notes")).to_contain_text("Confirmed")

        page.locator("#facts").get_by_role("link").click()
        page.wait_for_url(f"{town.url}/sites/{JUNCTION}")
        page.get_by_role("link", name="Day before").click()
        page.locator("#movements tbody tr").first.wait_for()
        with page.expect_download() as started:
            page.get_by_role("link", name="Turning-movement sheet").click()
        started.value.save_as(kept)
        shown = movements_on(page)
    (town.folder / "shown.json").write_text(json.dumps(shown))
    return kept


def movements_on(page: Page) -> dict[str, int]:
    """Leg → vehicles of the day, as the page tells them."""
    return {
        row.locator("th").inner_text(): int(
            "".join(filter(str.isdigit, row.locator("td").last.inner_text()))
        )
        for row in page.locator("#movements tbody tr").all()
    }


def movements_in(sheet: Path) -> dict[str, int]:
    """The same out of the sheet, whose first section has all vehicles by quarter hour."""
    rows = list(csv.reader(sheet.read_text(encoding="utf-8-sig").splitlines()))
    begins = rows.index(["All vehicles"])
    legs, headings = rows[begins + 1 : begins + 3]
    ends = next(n for n in range(begins, len(rows)) if rows[n][0] == "Total")
    found: dict[str, int] = {}
    leg = ""
    for place, heading in enumerate(headings):
        leg = (legs[place] if place < len(legs) else "") or leg
        if heading == "Total":
            found[leg] = sum(int(row[place] or 0) for row in rows[begins + 3 : ends])
    return found


def test_an_analyst_confirms_a_planted_anomaly_and_takes_the_numbers_along(
    town: Town, confirmed: Path
) -> None:
    shown = json.loads((town.folder / "shown.json").read_text())
    quarters = range(24, 84)

    assert movements_in(confirmed) == shown
    assert shown["north-leg"] == turned("N-S", quarters) + turned("N-N", quarters)
    assert confirmed.read_text(encoding="utf-8-sig").count(
        f"{yesterday() + timedelta(hours=12):%Y-%m-%d}"
    )


@pytest.fixture(scope="module")
def launched(town: Town, chromium: Browser) -> str:
    """Mila's first story: a run from the form, until its candidate is registered."""
    with visit(chromium, town.url, town.people["mila"], "/rounds/-/launch") as watched:
        page = watched.page
        page.get_by_role("textbox", name="Name").fill(RUN)
        page.get_by_role("textbox", name="Note").fill("More night pictures")
        page.get_by_role("button", name="Show the plan").click()
        expect(page.locator("#plan-preview")).to_contain_text("Who is asked")
        page.get_by_role("button", name="Launch").click()
        page.wait_for_url(f"{town.url}/rounds/{RUN}*")
        # The page follows the run by itself.
        expect(page.locator("#progress")).to_contain_text("Candidate", timeout=SOON_MS)
        folder = town.container.settings().federation_folder / "runs" / RUN / "candidate"
        run_command("registry", "add", str(folder), "--config", str(town.config_file))
        page.goto(f"{town.url}/models")
        page.get_by_role("link", name=VERSION, exact=True).click()
        gates = page.locator("#gates")
        gates.get_by_role("button", name="Take to staging").click()
        sign(town, (folder / WEIGHTS).read_bytes())
        page.goto(f"{town.url}/models/{VERSION}")
        gates.get_by_role("button", name="Take to canary").click()
        page.get_by_role("link", name="Start a rollout").click()
        page.get_by_label("Boxes that go first").fill("1")
        page.get_by_label("Minutes of quiet").fill("0")
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url(f"{town.url}/rollouts/*")
        rollout = page.url.partition("?")[0]
        waits = page.get_by_text("The canaries hold")
        assert eventually(lambda: town.obey() and waits.is_visible(), within_s=120)
        page.goto(f"{town.url}/models/{VERSION}")
        gates.get_by_role("button", name="Propose for production").click()
        expect(gates).to_contain_text("Somebody else has to approve it")
    return rollout


def sign(town: Town, weights: bytes) -> None:
    """What happens beside the pages: the offline keys sign, and the delivery is carried over."""
    city = ModelCity(town.container, town.folder)
    city.sign(VERSION, weights)
    run_command("registry", "receive", str(city.delivery), "--config", str(town.config_file))


@pytest.fixture(scope="module")
def approved(town: Town, chromium: Browser, launched: str) -> str:
    """Emil's part, in a browser of his own."""
    with visit(chromium, town.url, town.people["emil"], f"/models/{VERSION}") as watched:
        page = watched.page
        expect(page.locator("#gates")).to_contain_text("mila proposed it")
        page.get_by_role("button", name="Approve").first.click()
        expect(page.locator("main")).to_contain_text("in use")
        page.goto(launched)
        runs = page.locator("#boxes").get_by_text("Runs it")
        assert eventually(lambda: town.obey() and runs.count() == len(town.boxes), within_s=120)
        return page.locator("main").inner_text()


def test_a_round_becomes_a_model_that_a_second_person_lets_out(town: Town, approved: str) -> None:
    model = town.container.registry().show(VERSION)

    assert model.is_current
    assert model.run == RUN
    assert model.events[-1].text == "proposed by mila, approved by emil"
    assert "Runs it" in approved


@pytest.fixture(scope="module")
def drawn(town: Town, chromium: Browser) -> int:
    """Tom's story; how many the box counted over his line, as the site says."""
    with (
        counting_agent(town) as agent,
        visit(chromium, town.url, town.people["tom"], "/") as watched,
    ):
        page = watched.page
        base = f"{town.url}/sites/{SITE}/cameras/{CAMERA}"
        told = eventually(lambda: page.request.get(f"{base}/sections").status == 200, within_s=180)
        assert told, "no layout was told"
        page.goto(f"{base}/sections")
        page.wait_for_selector("#drawing .section")
        draw_beside_the_first(page)
        page.click("[data-send]")
        page.wait_for_selector('#wish[data-wish-step="sent"]')
        expect(page.locator("#wish")).to_contain_text("It told so", timeout=SOON_MS * 2)
        page.goto(f"{town.url}/sites/{SITE}")
        address = f"{town.url}/api/v1/sites/{SITE}/counts?day={today(page)}"
        assert eventually(lambda: counted(page, address) > 0, within_s=300), "nothing was counted"
        assert agent.poll() is None
        page.reload()
        return counted(page, address)


def draw_beside_the_first(page: Page) -> None:
    """With the mouse: a line a pixel below the first one, then its name."""
    layout = json.loads(page.input_value("[data-layout]"))
    width, height = (
        float(page.get_attribute("#editor", f"data-{side}") or 0) for side in ("width", "height")
    )
    number = len(layout["sections"])
    points = layout["sections"][0]["points_px"]
    drawing = page.locator("#drawing")
    drawing.evaluate("drawing => drawing.scrollIntoView({block: 'center'})")
    box = drawing.bounding_box()
    assert box is not None
    ends = [
        (box["x"] + box["width"] * x / width, box["y"] + box["height"] * (y + 1) / height)
        for x, y in (points[0], points[-1])
    ]
    page.click("[data-tool=line]")
    page.mouse.move(*ends[0])
    page.mouse.down()
    page.mouse.move(*[sum(pair) / 2 for pair in zip(*ends, strict=True)])
    page.mouse.move(*ends[1])
    page.mouse.up()
    # What was just drawn is chosen, so that its fields are open.
    page.fill(f'[data-key="section name {number}"]', DRAWN)
    page.wait_for_function("!document.querySelector('[data-send]').disabled")


def today(page: Page) -> str:
    return page.input_value("#f-day")


def counted(page: Page, address: str) -> int:
    """Road users over the drawn line, as the site answers to the signed-in browser."""
    answer = page.request.get(address)
    assert answer.ok, answer.text()
    return sum(
        count or 0
        for series in answer.json()["series"]
        if series["name"] == DRAWN
        for counts in series["counts"].values()
        for count in counts
    )


def test_a_line_that_a_technician_draws_is_counted(drawn: int) -> None:
    assert drawn > 0


def test_an_auditor_reads_who_did_what_and_finds_one_flipped_bit(
    town: Town, chromium: Browser, confirmed: Path, approved: str, drawn: int
) -> None:
    del confirmed, approved, drawn
    with visit(chromium, town.url, town.people["aurel"], "/audit") as watched:
        page = watched.page
        for who, what in (
            ("vera", "Anomaly reviewed"),
            ("tom", "Twin wished"),
            ("mila", "Rounds launched"),
            ("mila", "Model proposed"),
            ("mila", "Rollout started"),
            ("emil", "Model promoted"),
            ("aurel", "Signed in"),
        ):
            deed = what.lower().replace(" ", "_")
            page.goto(f"{town.url}/audit?actor={who}&action={deed}")
            first = page.locator("table tbody tr").first
            expect(first).to_contain_text(who)
            expect(first).to_contain_text(what)
        number = int(first.locator("th").inner_text())
        verify = page.get_by_role("button", name="Verify the log")
        verify.click()
        expect(page.locator("#verification")).to_contain_text("The log is intact")

        flip_one_bit(town.container.database(), TENANT, number)

        def located() -> bool:
            verify.click()
            page.wait_for_timeout(1000)
            return f"Entry {number} of" in page.locator("#verification").inner_text()

        # A verdict is good for some seconds.
        assert eventually(located, within_s=60)
        expect(page.locator("#verification")).to_contain_text("The log was changed")
