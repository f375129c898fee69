"""What somebody chose in the launch form → a wish for a run; and what each choice means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from common.rounds import Anchoring, BatchNorm, Packing, Strategy
from coordinator.dashboard.form_fields import FormFields, mistakes_in
from coordinator.federation.views import RunWish

STRATEGIES: Mapping[Strategy, tuple[str, str]] = MappingProxyType(
    {
        Strategy.FEDAVG: ("FedAvg", "The mean, weighted by samples. The usual choice."),
        Strategy.FEDPROX: ("FedProx", "The mean; boxes are held closer to where they began."),
        Strategy.FEDADAM: ("FedAdam", "The mean as a gradient for Adam; for many short rounds."),
        Strategy.FEDYOGI: ("FedYogi", "As FedAdam, calmer where updates differ much."),
        Strategy.FEDMEDIAN: ("Median", "Value by value; a few liars change little."),
        Strategy.TRIMMED_MEAN: ("Trimmed mean", "Leaves out the extremes of every value."),
        Strategy.KRUM: ("Krum", "Takes the one update that is closest to the others."),
        Strategy.MULTI_KRUM: ("Multi-Krum", "The mean of the updates closest to each other."),
        Strategy.BULYAN: ("Bulyan", "Krum, then trimmed; needs the most boxes."),
    }
)
PACKINGS: Mapping[Packing, str] = MappingProxyType(
    {
        Packing.INT8: "Small (8 bit; what is lost is made good in the next round)",
        Packing.FP16: "Half (16 bit)",
        Packing.FP32: "Whole (32 bit; four times as much to send)",
    }
)
BATCH_NORMS: Mapping[BatchNorm, str] = MappingProxyType(
    {
        BatchNorm.SHARED: "Shared: everybody counts with the same",
        BatchNorm.LOCAL: "Local (FedBN): each box keeps its own, for day beside night",
    }
)
ANCHORS: Mapping[Anchoring, str] = MappingProxyType(
    {
        Anchoring.NONE: "Nothing",
        Anchoring.AVERAGE: "A point between parent and result",
        Anchoring.REPLAY: "A few steps on the server's labelled set after each round",
        Anchoring.DISTIL: "A few steps against the parent's answers after each round",
    }
)

USUAL: Mapping[str, str] = MappingProxyType(
    {
        "rounds": "2",
        "strategy": Strategy.FEDAVG.value,
        "most_byzantine": "1",
        "packing": Packing.INT8.value,
        "batch_norm": BatchNorm.SHARED.value,
        "kind": Anchoring.NONE.value,
        "epochs": "1",
        "learning_rate": "0.00005",
        "noise_multiplier": "1.0",
        "clip_norm": "1.0",
        "most_epsilon": "8",
        "who": "all",
    }
)
"""What the form holds at first."""

_PLAIN = ("run", "rounds", "quorum", "strategy", "most_byzantine", "packing", "batch_norm", "note")
_LOCAL = ("epochs", "learning_rate")
_PRIVACY = ("clip_norm", "noise_multiplier", "most_epsilon")


def wish_of(form: FormFields, *, anchor_data: Path | None) -> tuple[RunWish | None, dict[str, str]]:
    """The wish of a form, or what is wrong with it.

    Args:
        form: As it was sent.
        anchor_data: The server's labelled sets, as the configuration names them.

    Returns:
        The wish and no mistakes, or None and mistakes by the name of their field.
    """
    given = {name: value.strip() for name, value in form.single.items() if value.strip()}
    told: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    told["local"] = {name: given[name] for name in _LOCAL if name in given}
    mistakes: dict[str, str] = {}
    if given.get("who") == "chosen":
        told["devices"] = form.all.get("devices", ())
        if not told["devices"]:
            mistakes["devices"] = "Choose at least two boxes, or all that can take part."
    if "deadline_min" in given:
        try:
            told["deadline_s"] = float(given["deadline_min"]) * 60
        except ValueError:
            mistakes["deadline_min"] = "Expected a number of minutes."
    if given.get("kind", Anchoring.NONE) != Anchoring.NONE:
        told["anchor"] = {"kind": given["kind"], "data": anchor_data}
    if given.get("is_private"):
        told["privacy"] = {name: given[name] for name in _PRIVACY if name in given}
    told["is_secure_sum"] = bool(given.get("is_secure_sum"))
    try:
        wish = RunWish.model_validate(told)
    except ValidationError as error:
        found = mistakes_in(error)
        if "deadline_s" in found:
            found["deadline_min"] = found.pop("deadline_s")
        return None, found | mistakes
    return (None if mistakes else wish), mistakes
