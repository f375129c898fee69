"""The whole agent over a simulated hour: memory stays flat, and every minute is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from common.site import load_site
from edge.config import load_config
from edge.container import agent_container, edge_agent, open_store
from edge.detect.detections import Detections
from edge.detect.engine import Request
from edge.health import rss_bytes
from edge.simulate.catalogue import mesh_of
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from edge.simulate.world import World
from tests.fakes.simulated_engine import SimulatedEngine

pytestmark = pytest.mark.e2e

# Between a quarter and the end. A tracker or a tally that forgot to forget one box a frame
# would grow by more: 13,500 frames with a few boxes of some hundred bytes each.
MOST_GROWTH_BYTES = 8_000_000
SOURCE = (
    "simulate:road?seed=5&size=160x90&fps=5&noise=2&shadows=0&mix=car:1&vehicles=2&pedestrians=0"
    "&duration="
)


class WeighingEngine(SimulatedEngine):
    """Notes the memory of the process as stream time passes."""

    def __init__(self, source: str) -> None:
        super().__init__({"north": parse_source(source)})
        self.rss_by_s: dict[float, int] = {}

    def detect_batch(self, requests: Sequence[Request]) -> list[Detections]:
        weight = rss_bytes()
        assert weight is not None
        self.rss_by_s[requests[0].frame.captured_s] = weight
        return super().detect_batch(requests)


def build_every_car(source: str, duration_s: int) -> None:
    """The simulator keeps the cars it built, tens of megabytes; start with all in place."""
    world = World(parse_source(source))
    for second in range(0, duration_s, 3):
        for user in world.at(second):
            for coarse in (False, True):
                mesh_of(user.road_user, user.variant, coarse=coarse)


@pytest.mark.parametrize(
    "duration_s",
    [
        pytest.param(240, id="four minutes"),
        pytest.param(3600, id="an hour", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_memory_is_flat_and_every_minute_is_stored(tmp_path: Path, duration_s: int) -> None:
    source = f"{SOURCE}{duration_s}"
    camera = scene_camera(parse_source(source), camera_id="north", source=source)
    fields = camera.model_dump(mode="json", by_alias=True, exclude_none=True)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump({"site": "here", "cameras": [fields]}))
    (tmp_path / "edge.yaml").write_text("{site_file: site.yaml, data_folder: data}")
    config = load_config(tmp_path / "edge.yaml")
    config.data_folder.mkdir()
    container = agent_container(config)
    engine = WeighingEngine(source)
    container.engine.override(engine)
    store = open_store(container, config)
    cameras = config.cameras_of(load_site(config.site_file))
    build_every_car(source, duration_s)

    is_clean = edge_agent(container, config, cameras, store).run()

    container.shared_detector().close()
    bins = list(store.bins("north"))
    store.close()
    weights = list(engine.rss_by_s.values())
    quarter_bytes, end_bytes = weights[len(weights) // 4], weights[-1]
    print(f"rss at 25 %: {quarter_bytes / 1e6:.1f} MB, at 100 %: {end_bytes / 1e6:.1f} MB")  # noqa: T201
    assert is_clean
    assert len(weights) == duration_s * 5
    assert end_bytes - quarter_bytes < MOST_GROWTH_BYTES
    assert {b.part for b in bins} == {0}
    assert len({b.start for b in bins}) == len(bins)
    assert len(bins) in (duration_s // 60, duration_s // 60 + 1)
    assert sum(b.content["coverage_s"] for b in bins) == pytest.approx(duration_s, abs=1)
    assert all(row["counts"] is not None for b in bins for row in b.content["sections"])
    assert sum(sum(row["counts"].values()) for b in bins for row in b.content["sections"]) > 0
