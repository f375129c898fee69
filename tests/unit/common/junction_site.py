"""A valid site file that tests read, or spoil and then read."""

from __future__ import annotations

from pathlib import Path

from common.site import Site, load_site

JUNCTION = """\
site: elm-and-main
cameras:
  - id: cam-north
    source: rtsp://10.0.0.5/stream1
    frame_size: [1280, 720]
    sections:
      - {name: north-leg, line: [[120, 400], [610, 380]], allowed: right}
      - {name: south-leg, line: [[200, 650], [1100, 660]]}
      - {name: queue, polygon: [[0, 400], [600, 400], [600, 720]], use: approach}
    flows:
      - {name: N-S, from: north-leg, to: south-leg}
      - {name: turn back, from: north-leg, to: north-leg, movement: u_turn}
    calibration:
      points_px: [[0, 0], [200, 0], [200, 400], [0, 400]]
      points_m: [[0, 0], [20, 0], [20, 40], [0, 40]]
"""


def read(folder: Path, text: str) -> Site:
    """The site that a file with this text describes."""
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)
