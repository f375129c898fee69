"""A run as the database remembers it and its folder → everything that does not hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.errors import ItsError, NotFoundError
from common.round_ledger import verify_ledger
from common.rounds import (
    CANDIDATE_FOLDER,
    GLOBAL_FOLDER,
    LEDGER_FILE,
    PLAN_FILE,
    RoundOutcome,
    RunPlan,
    RunState,
)
from coordinator.federation.evidence import Taken, read_evidence
from coordinator.federation.run_folder import PARENT_FILE, digest_of
from coordinator.federation.tables import RunRow
from coordinator.federation.views import Verification

_LINEAGE_FILE = "lineage.json"
"""Beside the candidate's files: among other things the SHA-256 of each."""


def verify_run(row: RunRow, rounds: Sequence[RoundOutcome], folder: Path) -> Verification:
    """Check a run.

    Args:
        row: The run.
        rounds: Its finished rounds by the database.
        folder: Of the run.
    """
    ledger = folder / LEDGER_FILE
    try:
        lines = verify_ledger(ledger).lines
    except NotFoundError:
        lines = 0
    findings = [
        *_plan_findings(row, folder),
        *_ledger_findings(row, rounds, ledger),
        *_weight_findings(rounds, folder),
        *_candidate_findings(row, folder),
    ]
    return Verification(run=row.id, holds=not findings, lines=lines, findings=findings)


def weights_file(folder: Path, number: int) -> Path:
    """The global model after round ``number``."""
    return folder / GLOBAL_FOLDER / f"round-{number:03d}.f32"


def _plan_findings(row: RunRow, folder: Path) -> Iterator[str]:
    try:
        plan = RunPlan.model_validate_json((folder / PLAN_FILE).read_bytes())
        found = digest_of(folder / PARENT_FILE)
    except (OSError, ValueError, ItsError) as error:
        yield f"plan or parent cannot be read: {error}"
        return
    planned = RunPlan.model_validate(row.plan)
    # The plan names the parent where it was; in the folder it lies beside the plan.
    if plan.model_copy(update={"parent": planned.parent}) != planned:
        yield f"{PLAN_FILE} is not the plan that was made"
    if found != planned.parent.sha256:
        yield f"{PARENT_FILE} has SHA-256 {found[:12]}…, expected {planned.parent.sha256[:12]}…"


def _ledger_findings(row: RunRow, rounds: Sequence[RoundOutcome], ledger: Path) -> Iterator[str]:
    taken = Taken(lines=row.ledger_lines, head=row.ledger_head)
    try:
        evidence = read_evidence(ledger, RunPlan.model_validate(row.plan), taken)
    except ItsError as error:
        yield str(error)
        return
    told = {outcome.number: outcome for outcome in evidence.rounds}
    for known in rounds:
        if _sorted(known) != _sorted(told.get(known.number)):
            yield f"round {known.number} of the ledger is not the one that was taken in"


def _weight_findings(rounds: Sequence[RoundOutcome], folder: Path) -> Iterator[str]:
    """The last weights must be there; of earlier ones a bench keeps a few."""
    for outcome in rounds:
        path = weights_file(folder, outcome.number)
        if not path.exists() and outcome is not rounds[-1]:
            continue
        try:
            found = digest_of(path)
        except ItsError as error:
            yield str(error)
            continue
        if found != outcome.weights_sha256:
            yield f"{path.name} has SHA-256 {found[:12]}…, expected {outcome.weights_sha256[:12]}…"


def _candidate_findings(row: RunRow, folder: Path) -> Iterator[str]:
    if row.state != RunState.CANDIDATE:
        return
    candidate = folder / CANDIDATE_FOLDER
    if not row.candidate or not (folder / row.candidate).is_file():
        yield f"candidate {row.candidate or '(none named)'} is not there"
    if not (candidate / _LINEAGE_FILE).exists():
        return
    try:
        told = json.loads((candidate / _LINEAGE_FILE).read_bytes())
        files = {str(name): str(digest) for name, digest in told["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        yield f"{_LINEAGE_FILE} of the candidate cannot be read"
        return
    for name, digest in files.items():
        path = candidate / Path(name).name
        found = digest_of(path) if path.is_file() else "none"
        if found != digest:
            yield f"{path.name} has SHA-256 {found[:12]}…, expected {digest[:12]}…"


def _sorted(outcome: RoundOutcome | None) -> RoundOutcome | None:
    if outcome is None:
        return None
    clients = sorted(outcome.clients, key=lambda client: client.device)
    return outcome.model_copy(update={"clients": tuple(clients)})
