"""Boxes and the sites where they stand → who is told first, and who in which wave after that."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from common.errors import ConflictError


def plan_waves(
    sites: Mapping[str, str], *, rollout: str, canaries: int | None, waves: Sequence[float]
) -> dict[str, int]:
    """Give every box its wave; canaries and waves are spread over the sites.

    Args:
        sites: Box → site.
        rollout: Another rollout takes other canaries; the same one always the same.
        canaries: How many boxes go first; one in ten unless given, at least one.
        waves: Rising shares of the boxes after the canaries; the last must be 1.

    Raises:
        ConflictError: No box, or more canaries than boxes.
        ValueError: Shares that do not rise to 1.
    """
    if not waves or waves[-1] != 1 or any(b <= a for a, b in pairwise(waves)):
        raise ValueError(f"waves {list(waves)}, expected shares that rise to 1")
    if not sites:
        raise ConflictError("no enrolled box can take part", hint="enrol one, or name others")
    count = math.ceil(len(sites) / 10) if canaries is None else canaries
    if not 1 <= count <= len(sites):
        raise ConflictError(f"{count} canaries of {len(sites)} boxes, expected 1 to {len(sites)}")
    order = _spread(sites, rollout)
    planned = dict.fromkeys(order[:count], 0)
    rest = order[count:]
    begun = 0
    wave = 1
    for share in waves:
        end = math.ceil(share * len(rest))
        planned |= dict.fromkeys(rest[begun:end], wave)
        if end > begun:
            wave += 1
        begun = end
    return planned


def _spread(sites: Mapping[str, str], rollout: str) -> list[str]:
    """One box of each site, then a second one of each; chance by the rollout's name."""

    def chance(text: str) -> str:
        return hashlib.sha256(f"{rollout}\n{text}".encode()).hexdigest()

    by_site: dict[str, list[str]] = {}
    for device in sorted(sites, key=chance):
        by_site.setdefault(sites[device], []).append(device)
    places = [
        (place, chance(site), device)
        for site, devices in by_site.items()
        for place, device in enumerate(devices)
    ]
    return [device for _, _, device in sorted(places)]
