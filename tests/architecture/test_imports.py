from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.architecture.import_rules import broken_arrows, cycles, impurities, misplaced_libraries
from tests.architecture.source_tree import Module, read_modules
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.unit

Rule = Callable[[Mapping[str, Module]], list[str]]
RULES = [broken_arrows, misplaced_libraries, impurities, cycles]


def plant(root: Path, files: Mapping[str, str]) -> Mapping[str, Module]:
    """Write a small tree of packages and read it back."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_modules(root)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps_the_import_rule(rule: Rule) -> None:
    modules = read_modules(REPOSITORY)

    assert "common.errors" in modules
    assert "edge.measure.events" in modules
    assert rule(modules) == []


@pytest.mark.parametrize(
    ("files", "finding"),
    [
        pytest.param(
            {"common/site.py": "from edge.capture import frames\n", "edge/capture/frames.py": ""},
            "common/site.py:1 imports edge.capture.frames",
            id="common imports the edge",
        ),
        pytest.param(
            {"edge/agent.py": "import coordinator.app\n", "coordinator/app.py": ""},
            "edge/agent.py:1 imports coordinator.app",
            id="edge imports the coordinator",
        ),
        pytest.param(
            {"models/dataset.py": "import edge.simulate\n", "edge/simulate/__init__.py": ""},
            "models/dataset.py:1 imports edge.simulate",
            id="models import the edge",
        ),
        pytest.param(
            {"edge/detect/engine.py": "from edge.track.tracks import Track\n"},
            "edge/detect/engine.py:1 imports edge.track.tracks",
            id="a stage looks downstream",
        ),
        pytest.param(
            {"edge/capture/sources.py": "def f():\n    from edge.simulate import junction\n"},
            "edge/capture/sources.py:2 imports edge.simulate",
            id="capture imports the simulator inside a function",
        ),
        pytest.param(
            {"edge/capture/sources.py": "from ..simulate import junction\n"},
            "edge/capture/sources.py:1 imports edge.simulate",
            id="a relative import points the wrong way",
        ),
        pytest.param(
            {"edge/simulate/scene.py": "from edge.detect.backend import Backend\n"},
            "edge/simulate/scene.py:1 imports edge.detect.backend",
            id="the simulator imports a later stage",
        ),
        pytest.param(
            {
                "edge/measure/bins.py": "from edge.track.tracker import Tracker\n",
                "edge/track/tracker.py": "",
            },
            "edge/measure/bins.py:1 imports edge.track.tracker",
            id="measure imports machinery",
        ),
    ],
)
def test_an_arrow_that_points_the_wrong_way_is_found(
    tmp_path: Path, files: Mapping[str, str], finding: str
) -> None:
    modules = plant(tmp_path, files)

    (found,) = broken_arrows(modules)

    assert found.startswith(finding)


def test_an_arrow_that_points_upstream_is_allowed(tmp_path: Path) -> None:
    modules = plant(
        tmp_path,
        {
            "common/ids.py": "import re\n",
            "edge/capture/frames.py": "from common.ids import Slug\n",
            "edge/detect/engine.py": "from edge.capture.frames import Frame\n",
            "edge/measure/bins.py": "from edge.track.tracks import TrackedFrame\n",
            "edge/simulate/scene.py": "from ..capture import frames\n",
            "edge/container.py": "from edge import simulate\nimport edge.detect.engine\n",
        },
    )

    assert broken_arrows(modules) == []


@pytest.mark.parametrize(
    ("place", "statement", "library"),
    [
        pytest.param("edge/detect/onnx_backend.py", "import torch", "torch", id="torch on a pole"),
        pytest.param("edge/agent.py", "import ultralytics.nn", "ultralytics", id="ultralytics"),
        pytest.param("edge/detect/engine.py", "import tensorrt", "tensorrt", id="tensorrt"),
        pytest.param(
            "edge/detect/engine.py", "import onnxruntime", "onnxruntime", id="onnxruntime"
        ),
        pytest.param("edge/track/tracker.py", "import cv2", "cv2", id="cv2 in track"),
        pytest.param("edge/measure/bins.py", "import av", "av", id="av in measure"),
        pytest.param(
            "edge/cli.py",
            "def f():\n    import matplotlib.pyplot",
            "matplotlib",
            id="inside a function",
        ),
        pytest.param(
            "edge/pipeline.py",
            "from dependency_injector import containers",
            "dependency_injector",
            id="wiring outside the container",
        ),
    ],
)
def test_a_heavy_library_outside_its_place_is_found(
    tmp_path: Path, place: str, statement: str, library: str
) -> None:
    modules = plant(tmp_path, {place: statement})

    (found,) = misplaced_libraries(modules)

    assert found.startswith(
        f"{place}:{statement.count(chr(10)) + 1} imports {library}, which belongs"
    )


@pytest.mark.parametrize(
    ("place", "statement"),
    [
        ("models/training.py", "import torch"),
        ("models/federated/client_app.py", "from torch import nn"),
        ("edge/detect/tensorrt_backend.py", "import tensorrt"),
        ("edge/detect/onnx_backend.py", "import onnxruntime"),
        ("edge/capture/files.py", "import av"),
        ("edge/container.py", "from dependency_injector import containers"),
    ],
)
def test_a_heavy_library_in_its_place_is_allowed(
    tmp_path: Path, place: str, statement: str
) -> None:
    assert misplaced_libraries(plant(tmp_path, {place: statement})) == []


@pytest.mark.parametrize(
    ("place", "text", "finding"),
    [
        pytest.param("edge/measure/bins.py", "import cv2", "imports cv2", id="a picture library"),
        pytest.param("edge/measure/bins.py", "import sqlite3", "imports sqlite3", id="a database"),
        pytest.param("edge/measure/bins.py", "from time import time", "imports time", id="a clock"),
        pytest.param("common/geometry.py", "import pathlib", "imports pathlib", id="files"),
        pytest.param(
            "edge/measure/bins.py",
            "from datetime import datetime\nNOW = datetime.now()",
            "calls datetime.now",
            id="asks the time",
        ),
        pytest.param("common/ids.py", "print('hello')", "calls print", id="prints"),
        pytest.param("common/ids.py", "TEXT = open('x').read()", "calls open", id="opens a file"),
    ],
)
def test_an_impure_pure_module_is_found(
    tmp_path: Path, place: str, text: str, finding: str
) -> None:
    modules = plant(tmp_path, {place: text})

    (found,) = impurities(modules)

    assert place in found
    assert finding in found


def test_a_pure_module_may_not_import_an_impure_one_of_common(tmp_path: Path) -> None:
    modules = plant(
        tmp_path,
        {
            "common/logs.py": "import logging\n",
            "edge/measure/bins.py": "from common.logs import set_up_logs\n",
        },
    )

    assert impurities(modules) == ["edge/measure/bins.py:1 is pure but imports common.logs"]


def test_a_pure_module_may_use_numbers_and_values(tmp_path: Path) -> None:
    modules = plant(
        tmp_path,
        {
            "common/timing.py": "import time\n",
            "edge/measure/bins.py": "import math\nimport numpy as np\n"
            "from datetime import datetime\nfrom common.timing import bin_start\n",
        },
    )

    assert impurities(modules) == []


@pytest.mark.parametrize(
    ("files", "rings"),
    [
        pytest.param(
            {"edge/a.py": "import edge.b\n", "edge/b.py": "def f():\n    from edge import a\n"},
            ["edge.a → edge.b → edge.a"],
            id="two modules, one import late",
        ),
        pytest.param(
            {
                "edge/a.py": "from edge.b import X\n",
                "edge/b.py": "from edge.c import X\n",
                "edge/c.py": "from edge.a import X\n",
                "edge/d.py": "from edge.a import X\n",
            },
            ["edge.a → edge.b → edge.c → edge.a"],
            id="three modules and a bystander",
        ),
        pytest.param(
            {
                "edge/__init__.py": "",
                "edge/a.py": "from edge import b, c\n",
                "edge/b.py": "from edge import c\n",
                "edge/c.py": "import numpy\n",
            },
            [],
            id="a diamond is no ring",
        ),
        pytest.param(
            {"edge/detect/__init__.py": "from edge.detect.a import X\n", "edge/detect/a.py": ""},
            [],
            id="a package that offers its own module is no ring",
        ),
    ],
)
def test_rings_of_imports_are_found(
    tmp_path: Path, files: Mapping[str, str], rings: list[str]
) -> None:
    assert cycles(plant(tmp_path, files)) == rings
