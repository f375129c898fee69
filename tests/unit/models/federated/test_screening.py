"""Bad updates are refused with a reason, and honest ones that merely differ are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from common.rounds import ClientVerdict, LocalTraining, ScreeningSettings
from models.federated.codec import UpdateError, UpdateFault
from models.federated.parameters import F32
from models.federated.screening import Judged, Reason, screen
from models.federated.verdicts import known_samples, outcome_of
from tests.fakes.made_up_updates import (
    LENGTH,
    arrivals,
    facts_for,
    honest_deltas,
    judge,
    plan_for,
    small_layout,
)

pytestmark = pytest.mark.unit

LAYOUT = small_layout()
BAD = ("camera-08", "camera-09")
SETTINGS = ScreeningSettings()


def nan_of(delta: F32) -> F32:
    spoiled = delta.copy()
    spoiled[3] = np.nan
    return spoiled


def one_value(delta: F32) -> F32:
    spike = np.zeros_like(delta)
    spike[LAYOUT.entries[1].offset] = LENGTH
    return spike


def noise_of(delta: F32) -> F32:
    return np.random.default_rng(1).standard_normal(delta.size).astype(np.float32) * 10


@pytest.mark.parametrize("attackers", [1, 2])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(nan_of, UpdateFault.NOT_FINITE, id="not a number"),
        pytest.param(lambda d: d * np.float32(np.inf), UpdateFault.NOT_FINITE, id="infinite"),
        pytest.param(lambda d: d * np.float32(1e30), Reason.TOO_LONG_FOR_PARENT, id="vast"),
        pytest.param(noise_of, Reason.TOO_LONG_FOR_PARENT, id="longer than the model"),
        pytest.param(lambda d: d * 30, Reason.TOO_LONG, id="scaled by 30"),
        pytest.param(lambda d: -d, Reason.AGAINST_THE_OTHERS, id="sign flipped"),
        pytest.param(lambda d: -5 * d, Reason.AGAINST_THE_OTHERS, id="flipped and scaled"),
        pytest.param(lambda d: d * 0, Reason.ZERO, id="nothing"),
        pytest.param(one_value, Reason.ONE_LAYER, id="all in one value"),
        pytest.param(lambda d: d[:-1], UpdateFault.OTHER_LAYOUT, id="another length"),
        pytest.param(lambda d: d.astype(np.float64), UpdateFault.OTHER_LAYOUT, id="another type"),
    ],
)
@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered in multiply")
def test_up_to_two_attackers_of_ten_are_refused_and_nobody_else(
    attackers: int, spoil: Callable[[F32], F32], reason: str
) -> None:
    deltas = honest_deltas(LAYOUT, 10, agreement=0.2)
    bad = BAD[:attackers]
    deltas |= {client: spoil(deltas[client]) for client in bad}

    judged = judge(LAYOUT, deltas)

    refused = {name: one.reasons for name, one in judged.items() if not one.is_taken}
    assert set(refused) == set(bad)
    assert all(reasons[-1] == reason for reasons in refused.values())
    assert sum(one.weight for one in judged.values()) == pytest.approx(1)


def test_attackers_who_agree_with_each_other_gain_nothing_by_it() -> None:
    deltas = honest_deltas(LAYOUT, 10, agreement=0.2)
    wanted = -np.mean([deltas[f"camera-{i:02}"] for i in range(8)], axis=0)
    together = (wanted * LENGTH / np.linalg.norm(wanted)).astype(np.float32)
    deltas |= dict.fromkeys(BAD, together)

    judged = judge(LAYOUT, deltas)

    assert {name for name, one in judged.items() if not one.is_taken} == set(BAD)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "agreement",
    [
        pytest.param(0.0, id="nothing in common"),
        pytest.param(0.05, id="hardly anything in common"),
        pytest.param(0.5, id="much in common"),
    ],
)
@pytest.mark.parametrize("clients", [1, 2, 3, 4, 10, 25])
def test_honest_cameras_are_never_refused(clients: int, agreement: float, seed: int) -> None:
    deltas = honest_deltas(LAYOUT, clients, agreement=agreement, seed=seed)

    judged = judge(LAYOUT, deltas)

    assert [one.client for one in judged.values() if not one.is_taken] == []


def test_a_camera_whose_few_values_move_is_not_refused_by_chance() -> None:
    # Twelve values carry nearly everything: unrelated cosines spread by 1/sqrt(12) = 0.29.
    rng = np.random.default_rng(3)
    deltas = {}
    for index in range(10):
        delta = rng.standard_normal(LAYOUT.size) * 1e-5
        places = rng.choice(LAYOUT.size, 12, replace=False)
        delta[places] += rng.choice([-1, 1], 12) * LENGTH / 12**0.5
        deltas[f"camera-{index:02}"] = delta.astype(np.float32)

    judged = judge(LAYOUT, deltas)

    against = [one for one in judged.values() if Reason.AGAINST_THE_OTHERS in one.reasons]
    assert against == []


def test_a_night_camera_that_moves_another_way_is_kept() -> None:
    deltas = honest_deltas(LAYOUT, 9, agreement=0.4)
    deltas["night"] = honest_deltas(LAYOUT, 1, agreement=0, seed=9)["camera-00"]

    night = judge(LAYOUT, deltas)["night"]

    assert night.is_taken
    assert night.cosine == pytest.approx(0, abs=0.1)


def test_a_long_update_is_shortened_to_twice_the_median_length() -> None:
    deltas = honest_deltas(LAYOUT, 10, agreement=0.2)
    deltas = {name: (d * LENGTH / np.linalg.norm(d)) for name, d in deltas.items()}
    deltas["camera-04"] = deltas["camera-04"] * 5

    long = judge(LAYOUT, deltas)["camera-04"]

    assert long.verdict is ClientVerdict.CAPPED
    assert long.reasons == (Reason.LONG,)
    assert long.norm == pytest.approx(5 * LENGTH, rel=1e-5)
    assert long.scale == pytest.approx(2 / 5, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"base_round": -1}, Reason.STALE, id="an older round"),
        pytest.param({"base_round": 5}, Reason.STALE, id="a round to come"),
        pytest.param({"base_digest": "c" * 64}, Reason.OTHER_BASE, id="other weights"),
        pytest.param({"claimed_samples": 0}, Reason.NO_SAMPLES, id="no samples"),
        pytest.param({"claimed_samples": -5}, Reason.BAD_SAMPLE_COUNT, id="fewer than none"),
        pytest.param({"claimed_samples": 10**20}, Reason.BAD_SAMPLE_COUNT, id="absurdly many"),
        pytest.param({"claimed_samples": 1.5}, Reason.BAD_SAMPLE_COUNT, id="half a sample"),
        pytest.param({"claimed_samples": True}, Reason.BAD_SAMPLE_COUNT, id="a truth"),
        pytest.param({"client": "stranger"}, Reason.NOT_INVITED, id="not asked"),
    ],
)
def test_a_reply_that_does_not_fit_the_round_is_refused_unread(
    change: dict[str, object], reason: Reason
) -> None:
    deltas = honest_deltas(LAYOUT, 5, agreement=0.2)
    first, *others = arrivals(deltas)

    def never() -> F32:
        pytest.fail("the update was unpacked")

    changed = replace(first, vector_of=never, **change)
    judged = screen([changed, *others], facts=facts_for(LAYOUT, deltas), settings=SETTINGS)

    found = next(one for one in judged if one.client == changed.client)
    assert found.verdict is ClientVerdict.REFUSED
    assert found.reasons == (reason,)


def test_bytes_that_are_no_update_are_refused_with_the_codecs_reason() -> None:
    deltas = honest_deltas(LAYOUT, 3, agreement=0.2)
    first, *others = arrivals(deltas)

    def broken() -> F32:
        raise UpdateError(UpdateFault.TRUNCATED, "half of it")

    judged = screen(
        [replace(first, vector_of=broken), *others],
        facts=facts_for(LAYOUT, deltas),
        settings=SETTINGS,
    )

    assert judged[0].reasons == ("truncated",)
    assert judged[0].weight == 0


def weights_of(known: dict[str, int], claims: dict[str, int]) -> dict[str, Judged]:
    deltas = honest_deltas(LAYOUT, len(known), agreement=0.2)
    deltas = dict(zip(known, deltas.values(), strict=True))
    judged = screen(
        arrivals(deltas, claims=claims),
        facts=facts_for(LAYOUT, deltas, known_samples=known),
        settings=SETTINGS,
    )
    return {one.client: one for one in judged}


def test_a_claim_of_a_billion_weighs_what_the_coordinator_knows() -> None:
    judged = weights_of({"a": 100, "b": 100, "c": 200}, {"a": 10**9, "b": 100, "c": 200})

    assert judged["a"].weight == pytest.approx(1 / 4)
    assert judged["a"].verdict is ClientVerdict.CAPPED
    assert judged["a"].reasons == (Reason.CLAIMS_TOO_MANY,)
    assert (judged["a"].samples, judged["a"].claimed_samples) == (100, 10**9)


def test_a_claim_below_what_is_known_is_believed() -> None:
    judged = weights_of({"a": 100, "b": 100}, {"a": 50, "b": 50})

    assert judged["a"].verdict is ClientVerdict.ACCEPTED
    assert judged["a"].weight == pytest.approx(1 / 2)


def test_nobody_weighs_more_than_half() -> None:
    judged = weights_of({"a": 900, "b": 60, "c": 40}, {"a": 900, "b": 60, "c": 40})

    assert judged["a"].reasons == (Reason.TOO_MUCH_WEIGHT,)
    assert [judged[name].weight for name in "abc"] == pytest.approx([0.5, 0.3, 0.2])


def test_of_two_clients_nobody_is_refused_by_comparison_but_the_loud_one_is_shortened() -> None:
    deltas = honest_deltas(LAYOUT, 2, agreement=0.2)
    deltas["camera-01"] = -50 * deltas["camera-01"]

    judged = judge(LAYOUT, deltas)

    assert judged["camera-00"].verdict is ClientVerdict.ACCEPTED
    loud = judged["camera-01"]
    assert loud.verdict is ClientVerdict.CAPPED
    assert loud.scale * (loud.norm or 0) == pytest.approx(2 * (judged["camera-00"].norm or 0))


def test_with_two_clients_the_usual_length_of_earlier_rounds_unmasks_the_loud_one() -> None:
    deltas = honest_deltas(LAYOUT, 2, agreement=0.2)
    deltas["camera-01"] = 50 * deltas["camera-01"]

    judged = judge(LAYOUT, deltas, usual_norm=LENGTH)

    assert judged["camera-01"].reasons == (Reason.TOO_LONG,)
    assert judged["camera-00"].weight == 1


def test_alone_a_client_is_bounded_by_the_usual_length_and_the_parents() -> None:
    deltas = honest_deltas(LAYOUT, 1, agreement=0.2)
    lone = {"camera-00": deltas["camera-00"] * 50}

    assert judge(LAYOUT, lone)["camera-00"].is_taken
    assert judge(LAYOUT, lone, usual_norm=LENGTH)["camera-00"].reasons == (Reason.TOO_LONG,)
    too_long = judge(LAYOUT, lone, base_norm=LENGTH)["camera-00"]
    assert too_long.reasons == (Reason.TOO_LONG_FOR_PARENT,)


@pytest.mark.parametrize("clients", [3, 4])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda d: 40 * d, Reason.TOO_LONG, id="scaled"),
        pytest.param(lambda d: -d, Reason.AGAINST_THE_OTHERS, id="flipped"),
    ],
)
def test_of_three_or_four_clients_one_attacker_is_refused(
    clients: int, spoil: Callable[[F32], F32], reason: Reason
) -> None:
    deltas = honest_deltas(LAYOUT, clients, agreement=0.3)
    deltas["camera-00"] = spoil(deltas["camera-00"])

    judged = judge(LAYOUT, deltas)

    assert {c: one.reasons for c, one in judged.items() if not one.is_taken} == {
        "camera-00": (reason,)
    }


def test_a_quiet_liar_of_four_cannot_make_the_others_look_loud() -> None:
    deltas = honest_deltas(LAYOUT, 4, agreement=0.3)
    deltas["camera-00"] = deltas["camera-00"] * 1e-6

    judged = judge(LAYOUT, deltas)

    assert all(judged[f"camera-{i:02}"].is_taken for i in (1, 2, 3))


def test_comparison_never_refuses_half_of_a_round() -> None:
    deltas = honest_deltas(LAYOUT, 4, agreement=0.9)
    deltas |= {name: -deltas[name] for name in ("camera-02", "camera-03")}

    judged = judge(LAYOUT, deltas)

    assert sum(not one.is_taken for one in judged.values()) <= 1


def test_the_order_of_arrival_does_not_matter() -> None:
    deltas = honest_deltas(LAYOUT, 6, agreement=0.1)
    facts = facts_for(LAYOUT, deltas)

    forwards = screen(arrivals(deltas), facts=facts, settings=SETTINGS)
    backwards = screen(arrivals(deltas)[::-1], facts=facts, settings=SETTINGS)

    assert forwards == backwards
    assert [one.client for one in forwards] == sorted(deltas)


def test_a_client_that_is_there_twice_is_a_mistake_of_the_caller() -> None:
    deltas = honest_deltas(LAYOUT, 2, agreement=0.1)

    with pytest.raises(ValueError, match="twice"):
        screen(arrivals(deltas) * 2, facts=facts_for(LAYOUT, deltas), settings=SETTINGS)


def test_switched_off_everything_that_can_be_summed_counts_as_it_claims() -> None:
    deltas = honest_deltas(LAYOUT, 3, agreement=0.1)
    deltas["camera-00"] = nan_of(deltas["camera-00"])
    deltas["camera-01"] = deltas["camera-01"][:-1]

    judged = screen(
        arrivals(deltas, claims={"camera-00": 900, "camera-02": 100}),
        facts=facts_for(LAYOUT, deltas),
        settings=ScreeningSettings(is_on=False),
    )

    assert [one.weight for one in judged] == pytest.approx([0.9, 0, 0.1])
    assert judged[1].reasons == (UpdateFault.OTHER_LAYOUT,)


@pytest.mark.parametrize("is_on", [True, False])
def test_a_private_round_clips_weighs_equally_and_compares_nobody(is_on: bool) -> None:
    deltas = honest_deltas(LAYOUT, 4, agreement=0.3)
    deltas["camera-00"] = -40 * deltas["camera-00"]
    deltas["camera-01"] = nan_of(deltas["camera-01"])

    judged = screen(
        arrivals(deltas),
        facts=facts_for(LAYOUT, deltas, clip_norm=LENGTH / 10),
        settings=ScreeningSettings(is_on=is_on),
    )

    # The refused one stays counted: each weighs a quarter, and the sum is a quarter short.
    assert [one.weight for one in judged] == [0.25, 0, 0.25, 0.25]
    assert judged[0].reasons == (Reason.CLIPPED,)
    for one in judged:
        if one.is_taken:
            assert one.scale * (one.norm or 0) <= LENGTH / 10
            assert one.cosine is None


def test_what_is_known_of_samples_is_bounded_by_what_a_round_trains_on() -> None:
    plan = plan_for({"a": 5000, "b": 30}, local=LocalTraining(most_samples=400))

    assert known_samples(plan) == {"a": 400, "b": 30}


def test_a_verdict_becomes_a_line_of_the_ledger() -> None:
    deltas = honest_deltas(LAYOUT, 3, agreement=0.3)
    judged = judge(LAYOUT, deltas)["camera-01"]

    outcome = outcome_of(judged, sent_bytes=900, train_s=2.5, scores={"loss": 1.25})

    assert outcome.device == "camera-01"
    assert outcome.weight == pytest.approx(1 / 3)
    assert (outcome.sent_bytes, outcome.train_s, outcome.loss) == (900, 2.5, 1.25)
    assert outcome.map50 is None


class Examiner:
    """Stands for a network that is asked about pictures: client → rise, by its delta."""

    def __init__(self, deltas: dict[str, F32], rises: dict[str, float]) -> None:
        self._rises = {deltas[client].tobytes(): rise for client, rise in rises.items()}
        self.asked = 0

    def __call__(self, delta: F32) -> float:
        self.asked += 1
        return self._rises.get(delta.tobytes(), 0.1)


def asked(deltas: dict[str, F32], rises: dict[str, float], **changes: float) -> dict[str, Judged]:
    judged = screen(
        arrivals(deltas),
        facts=facts_for(LAYOUT, deltas),
        settings=ScreeningSettings(norm_factor=1000, **changes),
        class_rise=Examiner(deltas, rises),
    )
    return {one.client: one for one in judged}


def test_who_mixes_up_classes_is_refused_whatever_its_length_and_direction() -> None:
    deltas = honest_deltas(LAYOUT, 10, agreement=0.3)

    judged = asked(deltas, {BAD[0]: 1.3, BAD[1]: float("inf"), "camera-02": 0.6})

    refused = {name: one.reasons for name, one in judged.items() if not one.is_taken}
    assert refused == dict.fromkeys(BAD, (Reason.CONFUSES_CLASSES,))
    assert judged["camera-02"].class_rise == 0.6
    assert judged[BAD[1]].class_rise == 1000  # what JSON can hold
    assert sum(one.weight for one in judged.values()) == pytest.approx(1)


def test_a_base_that_answers_nothing_accuses_nobody() -> None:
    deltas = honest_deltas(LAYOUT, 4, agreement=0.3)

    judged = asked(deltas, dict.fromkeys(deltas, float("nan")) | {"camera-03": -float("inf")})

    assert all(one.is_taken for one in judged.values())
    assert [one.class_rise for one in judged.values()] == [1000, 1000, 1000, -1000]


def test_what_everybody_forgets_is_nobodys_lie() -> None:
    deltas = honest_deltas(LAYOUT, 4, agreement=0.3)

    judged = asked(deltas, {"camera-00": 2.0, "camera-01": 1.7, "camera-02": 2.2, "camera-03": 1.8})

    assert all(one.is_taken for one in judged.values())


@pytest.mark.parametrize(("clients", "most"), [(1, 0), (2, 0), (3, 1), (4, 1), (9, 4)])
def test_being_asked_never_refuses_half_of_a_round(clients: int, most: int) -> None:
    deltas = honest_deltas(LAYOUT, clients, agreement=0.3)
    rises = {client: 5.0 + index for index, client in enumerate(list(deltas)[clients // 2 :])}

    judged = asked(deltas, rises | {"camera-00": 0.0 if clients > 1 else 5.0})

    refused = [name for name, one in judged.items() if not one.is_taken]
    assert refused == sorted(deltas)[clients - most :]  # the worst of them


def test_only_who_is_left_is_asked_and_in_the_length_that_is_summed() -> None:
    deltas = honest_deltas(LAYOUT, 10, agreement=0.3)
    deltas[BAD[0]], deltas[BAD[1]] = nan_of(deltas[BAD[0]]), -deltas[BAD[1]]
    deltas["camera-00"] *= 4
    seen: list[float] = []

    def examiner(delta: F32) -> float:
        seen.append(float(np.linalg.norm(delta)))
        return 0.0

    facts = facts_for(LAYOUT, deltas)
    judged = screen(arrivals(deltas), facts=facts, settings=SETTINGS, class_rise=examiner)

    taken = [one for one in judged if one.is_taken]
    assert len(taken) == 8
    assert judged[0].scale < 1
    assert seen == pytest.approx([one.scale * (one.norm or 0) for one in taken])
    assert [one.class_rise for one in judged if not one.is_taken] == [None, None]


@pytest.mark.parametrize("way", ["private", "unscreened"])
def test_nobody_is_asked_in_a_private_round_or_without_screening(way: str) -> None:
    deltas = honest_deltas(LAYOUT, 4, agreement=0.3)
    examiner = Examiner(deltas, {"camera-00": 9.0})

    judged = screen(
        arrivals(deltas),
        facts=facts_for(LAYOUT, deltas, clip_norm=LENGTH if way == "private" else None),
        settings=ScreeningSettings(is_on=way == "private"),
        class_rise=examiner,
    )

    assert examiner.asked == 0
    assert all(one.is_taken for one in judged)
