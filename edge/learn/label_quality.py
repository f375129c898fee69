"""Pseudo-labels of simulated scenes against exact truth → precision and recall, method by method.

The plain detector at the score from which on it counts is the measure: labels that are not
clearly more precise would teach a detector its own mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.geometry import Box
from common.road_users import ROAD_USERS, RoadUser
from edge.capture.frames import Frame
from edge.capture.ingestion import CaptureSettings
from edge.container import EdgeContainer, camera_pipeline
from edge.learn.agreement import AgreementRules, agree
from edge.learn.histories import TrackHistories
from edge.learn.marks import LEAST_SIDE_PX, Mark, Marks, iou, shared_area
from edge.learn.pseudo_labels import labels_at
from edge.learn.sampler import SETTLE_S
from edge.learn.teacher import Looker, look_again
from edge.simulate.config import SceneConfig
from edge.simulate.frame_truth import frame_users
from edge.simulate.labels import LEAST_VISIBLE, labels_of
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from edge.simulate.world import World
from edge.track.settings import TrackerSettings

SCENES = tuple(
    f"simulate:{layout}?seed={seed}&{light}&size=960x540&fps=10&duration=40&vehicles=6"
    for light in ("light=night", "light=night&weather=rain", "weather=rain", "light=dusk")
    for layout, seed in (("junction", 11), ("road", 12))
)
"""Not those of the demo or of any test; every one is used as it came."""
SAME_IOU = 0.5
_INSIDE = 0.5
METHODS = ("plain", "tracks", "teacher", "agreed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A road user that is in the picture; what is hidden or tiny need not be found."""

    box_px: Box
    road_user: RoadUser
    must_be_found: bool


@dataclass(slots=True)
class Score:
    """Sums over pictures.

    Attributes:
        right: Labels on a road user of that class.
        wrong: Labels on nobody, or on another class.
        missed: Road users without a label where training would learn that nobody is there.
        ignored: Those without a label inside a place that is left out of training.
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0
    ignored: int = 0

    def add(self, other: Score) -> None:
        """Sum up."""
        self.right += other.right
        self.wrong += other.wrong
        self.missed += other.missed
        self.ignored += other.ignored

    def to_dict(self) -> dict[str, float | int | None]:
        """Counts and shares, None where nothing was there to share."""
        labels, everybody = self.right + self.wrong, self.right + self.missed + self.ignored
        return {
            "labels": labels,
            "road_users": everybody,
            "precision": _share(self.right, labels),
            "recall": _share(self.right, everybody),
            "ignored_share": _share(self.ignored, everybody),
            "taught_as_empty_share": _share(self.missed, everybody),
        }


@dataclass(slots=True, eq=False)
class _Picture:
    frame: Frame
    marks: dict[str, Marks] = field(default_factory=dict)


def measure(
    container: EdgeContainer, sources: Sequence[str], lookers: Sequence[Looker], *, every_s: float
) -> dict[str, Any]:
    """Label pictures of each scene in every way and compare.

    Args:
        container: With the model that counts.
        sources: Simulated scenes with an end.
        lookers: The network of the better pass.
        every_s: Scene time between two pictures; none is chosen, so that none is favoured.

    Returns:
        Per method and scene, and per method over all: precision, recall and what is ignored.

    Raises:
        ConfigError: A source is no scene.
    """
    total = {method: Score() for method in METHODS}
    scenes = []
    for source in sources:
        scores = {method: Score() for method in METHODS}
        scene, pictures = parse_source(source), 0
        for picture in _labelled(container, source, scene, lookers, every_s):
            pictures += 1
            truth = _truth(World(scene), picture.frame, scene)
            for method, marks in picture.marks.items():
                scores[method].add(score(marks, truth))
        for method in METHODS:
            total[method].add(scores[method])
        scenes.append({"source": source, "pictures": pictures, **_dicts(scores)})
    return {
        "same_iou": SAME_IOU,
        "plain_score": TrackerSettings().sure_score,
        "scenes": scenes,
        "total": _dicts(total),
    }


def score(marks: Marks, truth: Sequence[Truth]) -> Score:
    """Compare the labels of one picture with who was there, surest labels first."""
    free = list(truth)
    result = Score()
    for mark in sorted(marks.sure, key=lambda each: -each.score):
        best = max(
            (t for t in free if t.road_user is mark.road_user),
            key=lambda t: iou(t.box_px, mark.box_px),
            default=None,
        )
        if best is None or iou(best.box_px, mark.box_px) < SAME_IOU:
            result.wrong += 1
            continue
        free.remove(best)
        result.right += best.must_be_found
    for left in free:
        if left.must_be_found:
            is_ignored = any(
                shared_area(place.box_px, left.box_px) >= _INSIDE * left.box_px.area
                for place in marks.unsure
            )
            result.ignored += is_ignored
            result.missed += not is_ignored
    return result


def _labelled(
    container: EdgeContainer,
    source: str,
    scene: SceneConfig,
    lookers: Sequence[Looker],
    every_s: float,
) -> Iterator[_Picture]:
    camera = scene_camera(scene, source=source)
    capture = container.capture(camera, settings=CaptureSettings(keeps_trying=False))
    pipeline = camera_pipeline(container, camera, container.engine(), capture=capture)
    histories = TrackHistories()
    waiting: list[_Picture] = []
    next_s = every_s
    for step in pipeline:
        if step.frame is None or step.tracked is None:
            continue
        histories.update(step.tracked)
        if step.frame.captured_s >= next_s:
            next_s += every_s
            waiting.append(_Picture(step.frame))
        while waiting and step.frame.captured_s - waiting[0].frame.captured_s >= SETTLE_S:
            yield _marked(waiting.pop(0), histories, container, lookers)
    for picture in waiting:
        yield _marked(picture, histories, container, lookers)


def _marked(
    picture: _Picture,
    histories: TrackHistories,
    container: EdgeContainer,
    lookers: Sequence[Looker],
) -> _Picture:
    frame = picture.frame
    size = frame.image.shape[1], frame.image.shape[0]
    found = container.engine().detect(frame, frame_size=size)
    plain = [
        Mark(box_px=Box(*box), road_user=ROAD_USERS[index], score=likely)
        for box, index, likely in zip(
            found.boxes_px.tolist(), found.classes.tolist(), found.scores.tolist(), strict=True
        )
        if likely >= TrackerSettings().sure_score
    ]
    tracks = labels_at(histories.lives(), frame.captured_s, size)
    seen = look_again(frame, lookers)
    rules = AgreementRules()
    picture.marks = {
        "plain": Marks(sure=tuple(plain)),
        "tracks": tracks,
        "teacher": Marks(
            sure=tuple(mark for mark in seen if mark.score >= rules.alone),
            unsure=tuple(mark for mark in seen if rules.something <= mark.score < rules.alone),
        ),
        "agreed": agree(tracks, seen),
    }
    return picture


def _truth(world: World, frame: Frame, scene: SceneConfig) -> list[Truth]:
    return [
        Truth(
            box_px=box,
            road_user=road_user,
            must_be_found=user.visible >= LEAST_VISIBLE
            and min(box.width, box.height) >= LEAST_SIDE_PX,
        )
        for user in frame_users(world, frame.index / scene.fps)
        for road_user, box in labels_of(user)
    ]


def _dicts(scores: dict[str, Score]) -> dict[str, Any]:
    return {method: found.to_dict() for method, found in scores.items()}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
