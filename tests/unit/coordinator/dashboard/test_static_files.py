"""Templates, scripts and vendored files as they are committed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from common.errors import TrustError
from coordinator.dashboard.assets import STATIC_FOLDER, Assets
from coordinator.dashboard.rendering import TEMPLATES_FOLDER, environment
from coordinator.dashboard.vendoring import VENDOR_FOLDER, files_of, read_list, wrong_files

pytestmark = pytest.mark.unit

TEMPLATES = sorted(TEMPLATES_FOLDER.rglob("*.html"))
OUR_SCRIPTS = sorted((STATIC_FOLDER / "js").glob("*.js"))
MOST_VENDORED_BYTES = 1_200_000

# What the content security policy would refuse, and what would switch escaping off.
FORBIDDEN = {
    "a filter that switches escaping off": r"\|\s*safe\b|Markup|autoescape\s+false",
    "a style attribute": r"\sstyle\s*=",
    "a style element": r"<style\b",
    "an event attribute": r"\son[a-z]+\s*=\s*[\"']",
    "an htmx event attribute": r"hx-on",
    "a script without a source": r"<script(?![^>]*\bsrc=)[^>]*>",
    "an htmx value that is evaluated": r"hx-(vals|headers|vars)\s*=\s*[\"']\s*js(avascript)?:",
    "a foreign address": r"(src|href|action)\s*=\s*[\"'](https?:)?//",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_that_the_policy_refuses(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert [what for what, pattern in FORBIDDEN.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_can_be_read_and_name_files_that_are_there(path: Path) -> None:
    environment().get_template(path.relative_to(TEMPLATES_FOLDER).as_posix())

    named = re.findall(r"asset\('([^']+)'\)", path.read_text(encoding="utf-8"))
    assert [name for name in named if not (STATIC_FOLDER / name).is_file()] == []


@pytest.mark.parametrize("path", OUR_SCRIPTS, ids=lambda path: path.name)
def test_scripts_build_no_html_from_text_and_evaluate_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    found = re.findall(
        r"innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    assert found == []


@pytest.mark.parametrize("path", OUR_SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_neighbours_that_are_there(path: Path) -> None:
    imported = re.findall(r"from \"(\./[^\"]+)\"", path.read_text(encoding="utf-8"))

    assert [name for name in imported if not (path.parent / name).is_file()] == []


def test_every_text_is_escaped_without_being_asked() -> None:
    template = environment().from_string('<p title="{{ text }}">{{ text }}</p>')

    told = template.render(text="""<script>alert("1")</script>'""")

    assert "<script>" not in told
    assert "&lt;script&gt;" in told
    assert told.count('"') == 2


def test_the_address_of_a_file_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "a.js").write_text("import './b.js';")
    (tmp_path / "js" / "b.js").write_text("1")
    before = Assets(tmp_path)
    (tmp_path / "js" / "b.js").write_text("2")

    after = Assets(tmp_path)

    assert before.address("js/a.js") != after.address("js/a.js")
    assert Assets(tmp_path).address("js/a.js") == after.address("js/a.js")


def test_a_file_that_is_not_there_is_a_fault_of_the_template(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no static file 'js/none\.js'"):
        Assets(tmp_path).address("js/none.js")


def test_vendored_files_are_what_was_fetched_with_their_licences() -> None:
    packages = read_list()

    assert wrong_files() == []
    assert all("LICENSE.txt" in package.files for package in packages)
    total = sum(path.stat().st_size for path in VENDOR_FOLDER.rglob("*") if path.is_file())
    assert total < MOST_VENDORED_BYTES


def test_a_changed_missing_or_added_vendored_file_is_found(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(VENDOR_FOLDER, tmp_path / "vendor"))
    with (folder / "htmx.org" / "htmx.min.js").open("a") as file:
        file.write("fetch('//elsewhere')")
    (folder / "uplot" / "uPlot.min.css").unlink()
    (folder / "extra.js").write_text("1")

    assert wrong_files(folder) == [
        "htmx.org/htmx.min.js is not what was fetched",
        "uplot/uPlot.min.css is missing",
        "extra.js is on no list",
    ]


def test_an_archive_with_another_integrity_is_refused() -> None:
    with pytest.raises(TrustError, match="has integrity sha512-"):
        files_of(b"another archive", read_list()[0])


def test_the_list_names_exact_versions() -> None:
    told = json.loads((VENDOR_FOLDER / "vendor.json").read_text(encoding="utf-8"))

    assert {one["name"] for one in told["packages"]} == {
        "htmx.org", "leaflet", "topojson-client", "uplot", "world-atlas",
    }  # fmt: skip
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", one["version"]) for one in told["packages"])
