"""Detections of one camera, in time order → confirmed tracks, one road user each.

Association in rounds after ByteTrack (Zhang et al., ECCV 2022, arXiv:2110.06864):
sure detections first, then unsure ones, so that a road user fading in glare keeps
its track; then a wider search for what moved fast. What differs (``tests/proof`` holds
the whole to its counts; no difference was measured alone): time comes from the stream
clock; a track is confirmed by gathered evidence and hands over its past, so that a late
confirmation loses no crossing; unsure detections may found a track if it travels; a
standing track waits longer for its road user to come out from behind a bus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from common.geometry import Box
from common.road_users import HAS_CAB
from edge.detect.detections import Detections
from edge.track.association import Pairs, assign, overlap
from edge.track.echoes import drop_echoes, echo_of
from edge.track.motion import BoxMotion
from edge.track.riders import merge_riders
from edge.track.settings import TrackerSettings
from edge.track.tracks import TrackedFrame, TrackPoint
from edge.track.votes import ClassVote

# Boxes of one road user in two frames nearly touch at 10 frames/s and more.
_NEAR = 0.3
# Slower than this, in box heights a second, a road user counts as standing.
_STANDING_PACE = 0.15
# A second track on the same road user shares its place most of the time.
_ECHO_SHARE = 0.4
# Tracks seen within this time of each other are compared.
_TURNS_S = 0.3
# This many more sightings on a better track than beside it end a confirmed one.
_MAX_ECHOES = 8
# A car is not taken for the pedestrian beside it while a better fit exists.
_OTHER_KIND = 0.6
# Points kept for an unconfirmed track: half a minute at 10 frames/s.
_MAX_WAITING = 300


@dataclass(slots=True)
class _Track:
    id: int
    last_s: float
    vote: ClassVote = field(default_factory=ClassVote)
    evidence: float = 0.0
    best_score: float = 0.0
    sightings: int = 0
    echoes: int = 0
    is_confirmed: bool = False
    waiting: list[TrackPoint] = field(default_factory=list)


class Tracker:
    """Follows every road user of one camera."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._motion = BoxMotion()
        self._tracks: list[_Track] = []
        self._ids: Iterator[int] = count(1)
        self._now_s: float | None = None

    def __len__(self) -> int:
        """Tracks in memory, unconfirmed ones included."""
        return len(self._tracks)

    def update(self, detections: Detections) -> TrackedFrame:
        """Follow everybody into the next frame.

        Raises:
            ValueError: The frame is not later than the one before.
        """
        now_s = detections.captured_s
        if self._now_s is not None:
            if now_s <= self._now_s:
                raise ValueError(f"frame at {now_s} s after one at {self._now_s} s, expected later")
            self._motion.predict(now_s - self._now_s)
        self._now_s = now_s
        ended = self._give_up(now_s)
        seen = merge_riders(drop_echoes(_at_least(self._settings.least_score, detections)))
        pairs, fresh = self._associate(seen)
        self._motion.correct(pairs[:, 0], seen.boxes_px[pairs[:, 1]], seen.scores[pairs[:, 1]])
        points = self._advance(seen, pairs)
        loose = fresh[seen.scores[fresh] >= self._settings.found_score]
        self._found(seen, loose)
        is_sure = seen.scores >= self._settings.sure_score
        followed = {point.track_id for point in points if point.at_s == now_s}
        followed_sure = sum(
            self._tracks[row].id in followed for row in pairs[is_sure[pairs[:, 1]], 0].tolist()
        )
        return TrackedFrame(
            camera_id=detections.camera_id,
            captured_s=now_s,
            captured_at=detections.captured_at,
            points=tuple(points),
            ended=ended,
            unassigned=int(np.count_nonzero(is_sure)) - followed_sure,
        )

    def finish(self) -> tuple[int, ...]:
        """End every track, as when the stream stops; returns the confirmed ones."""
        ended = tuple(track.id for track in self._tracks if track.is_confirmed)
        self._tracks = []
        self._motion = BoxMotion()
        return ended

    def _give_up(self, now_s: float) -> tuple[int, ...]:
        """Drop the tracks that were not seen for too long; returns the confirmed ones."""
        if not self._tracks:
            return ()
        pace = self._motion.pace()
        keep = np.array(
            [
                now_s - track.last_s <= self._patience_s(track, float(pace[row]))
                and track.echoes <= _MAX_ECHOES
                for row, track in enumerate(self._tracks)
            ]
        )
        if keep.all():
            return ()
        gone = [track for track, kept in zip(self._tracks, keep, strict=True) if not kept]
        self._motion.keep(keep)
        self._tracks = [track for track, kept in zip(self._tracks, keep, strict=True) if kept]
        return tuple(track.id for track in gone if track.is_confirmed)

    def _patience_s(self, track: _Track, pace: float) -> float:
        if not track.is_confirmed:
            return self._settings.tentative_patience_s
        is_standing = pace < _STANDING_PACE
        return self._settings.standing_patience_s if is_standing else self._settings.patience_s

    def _associate(self, seen: Detections) -> tuple[Pairs, NDArray[np.intp]]:
        """Pair tracks with detections in three rounds; returns pairs and unpaired detections."""
        settings = self._settings
        is_sure = seen.scores >= settings.sure_score
        free_rows = np.ones(len(self._tracks), dtype=np.bool_)
        free = np.ones(len(seen), dtype=np.bool_)
        has_cab = np.array([track.vote.has_cab for track in self._tracks], dtype=np.bool_)
        seen_cab = HAS_CAB[seen.classes]
        boxes = self._motion.boxes
        rounds = (
            (is_sure, _NEAR, settings.least_overlap),
            (~is_sure, 0.0, settings.unsure_overlap),
            (is_sure, None, settings.least_overlap),
        )
        chosen = []
        for wanted, buffer, least in rounds:
            (rows,), (columns,) = free_rows.nonzero(), (wanted & free).nonzero()
            if len(rows) == 0 or len(columns) == 0:
                continue
            grow = self._search_buffer()[rows] if buffer is None else buffer
            likeness = overlap(boxes[rows], seen.boxes_px[columns], buffer=grow)
            # Less for a pair of which one walks or rides and the other has a cab.
            likeness[has_cab[rows, None] != seen_cab[columns]] *= _OTHER_KIND
            pairs = assign(likeness, least=least)
            pairs[:, 0], pairs[:, 1] = rows[pairs[:, 0]], columns[pairs[:, 1]]
            free_rows[pairs[:, 0]] = False
            free[pairs[:, 1]] = False
            chosen.append(pairs)
        pairs = np.concatenate(chosen) if chosen else np.empty((0, 2), dtype=np.intp)
        return pairs, free.nonzero()[0]

    def _search_buffer(self) -> NDArray[np.float64]:
        """A wider circle for tracks whose velocity is unknown or that were hidden for long."""
        now_s = self._now_s or 0.0
        hidden_s = np.array([now_s - track.last_s for track in self._tracks])
        young = np.array(
            [track.sightings < self._settings.least_sightings for track in self._tracks]
        )
        return _NEAR + np.where(young, 0.3, 0.0) + np.minimum(0.3 * hidden_s, 0.4)

    def _advance(self, seen: Detections, pairs: Pairs) -> list[TrackPoint]:
        """Book the sightings; returns the points that may be shown, oldest first per track."""
        boxes, pace = self._motion.boxes, self._motion.pace().tolist()
        heights = self._motion.position[:, 3].tolist()
        scores, class_scores = seen.scores.tolist(), seen.class_scores.tolist()
        for row in pairs[:, 0].tolist():
            self._tracks[row].last_s = seen.captured_s
        self._notice_echoes(pairs[:, 0], boxes, seen.captured_s)
        corners = boxes.tolist()
        shown: list[TrackPoint] = []
        for row, column in pairs.tolist():
            track = self._tracks[row]
            score = scores[column]
            track.vote.add(class_scores[column], height_px=heights[row], pace=pace[row])
            track.sightings += 1
            track.evidence += score
            track.best_score = max(track.best_score, score)
            point = _point(track, seen, corners[row], score)
            if track.is_confirmed:
                shown.append(point)
                continue
            track.waiting.append(point)
            if self._is_certain(track):
                track.is_confirmed = True
                shown.extend(track.waiting)
                track.waiting = []
            elif len(track.waiting) > _MAX_WAITING:
                del track.waiting[0]
        return shown

    def _notice_echoes(
        self, rows: NDArray[np.intp], boxes: NDArray[np.float64], now_s: float
    ) -> None:
        """Note which of the tracks just seen lie on a better one of the same kind.

        The better one need not be seen in this very frame: a detector that hesitates between
        two boxes for one vehicle feeds the two tracks in turn.
        """
        tracks = self._tracks
        near = np.array(
            [row for row, track in enumerate(tracks) if now_s - track.last_s <= _TURNS_S],
            dtype=np.intp,
        )
        if len(rows) == 0 or len(near) < 2:
            return
        has_cab = np.array([track.vote.has_cab for track in tracks])
        worth = np.array([track.evidence for track in tracks])
        on_better = echo_of(
            boxes[rows],
            boxes[near],
            has_cab=has_cab[rows],
            others_have_cab=has_cab[near],
            maybe=worth[rows, None] < worth[near],
        )
        for row, is_echo in zip(rows, np.any(on_better, axis=1).tolist(), strict=True):
            track = tracks[row]
            track.echoes = track.echoes + 1 if is_echo else max(track.echoes - 1, 0)

    def _is_certain(self, track: _Track) -> bool:
        settings = self._settings
        if track.sightings < settings.least_sightings or track.evidence < settings.evidence:
            return False
        if track.echoes > track.sightings * _ECHO_SHARE:
            return False
        if track.best_score >= settings.sure_score:
            return True
        # Unsure boxes that stay where they are may be a sign or a shadow; a sign does not travel.
        first, last = track.waiting[0].box_px, track.waiting[-1].box_px
        moved = np.hypot(last.foot.x - first.foot.x, last.foot.y - first.foot.y)
        return bool(moved >= settings.travel * last.height)

    def _found(self, seen: Detections, columns: NDArray[np.intp]) -> None:
        """Start a tentative track for each of the unpaired detections."""
        if len(columns) == 0:
            return
        self._motion.add(seen.boxes_px[columns].astype(np.float64))
        for column in columns:
            score = float(seen.scores[column])
            track = _Track(id=next(self._ids), last_s=seen.captured_s, evidence=score)
            track.best_score = score
            track.sightings = 1
            box = seen.boxes_px[column].tolist()
            track.vote.add(seen.class_scores[column].tolist(), height_px=box[3] - box[1], pace=0.0)
            track.waiting.append(_point(track, seen, box, score))
            self._tracks.append(track)


def _at_least(score: float, detections: Detections) -> Detections:
    keep = detections.scores >= score
    if keep.all():
        return detections
    return replace(
        detections,
        boxes_px=detections.boxes_px[keep],
        scores=detections.scores[keep],
        classes=detections.classes[keep],
        class_scores=detections.class_scores[keep],
    )


def _point(track: _Track, seen: Detections, box: Sequence[float], score: float) -> TrackPoint:
    return TrackPoint(
        track_id=track.id,
        at_s=seen.captured_s,
        at=seen.captured_at,
        box_px=Box(*box),
        road_user=track.vote.road_user,
        score=score,
    )
