"""A box and its coordinator that trust each other, neither running yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.encryption import OpeningKey, SigningKey
from tests.fakes.acknowledging_coordinator import AcknowledgingCoordinator, Ledger
from tests.fakes.sending_box import SendingBox


@dataclass(frozen=True)
class Pair:
    box: SendingBox
    coordinator: AcknowledgingCoordinator

    @property
    def ledger(self) -> Ledger:
        return self.coordinator.ledger


def a_pair(folder: Path, port: int, **options: Any) -> Pair:
    opening, order_key = OpeningKey.generate(), SigningKey.generate()
    box = SendingBox(folder, port=port, opening=opening, order_key=order_key.public, **options)
    coordinator = AcknowledgingCoordinator(
        port, device_key=box.signing.public, order_key=order_key, opening=opening
    )
    return Pair(box, coordinator)
