"""Requests of boxes over HTTPS → certificates; the only routes that the network reaches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Response

from common.enrolment import (
    ENROLMENT_PATH,
    RENEWAL_PATH,
    TRUST_PATH,
    EnrolmentAnswer,
    EnrolmentRequest,
    SignedRenewal,
)
from common.errors import ConflictError, TrustError
from coordinator.container import CoordinatorContainer
from coordinator.dependencies import AddressDep, ContainerDep, EnrolmentDep, RevocationsDep
from coordinator.problems import problems
from coordinator.security.access import public
from coordinator.security.events import EventKind

REVOCATION_PATH = "/api/v1/revoked"
_PEM = "application/x-pem-file"

# A box has no account: it shows a one-time token, or signs with its key, in the body.
router = APIRouter(
    tags=["enrolment"], dependencies=[public()], responses=problems(403, 409, 413, 429)
)


@router.get(TRUST_PATH, response_class=Response, responses={200: {"content": {_PEM: {}}}})
def trust(container: ContainerDep) -> Response:
    """The root's certificate; boxes know it by the fingerprint in their token."""
    return Response(container.authority().trust_pem, media_type=_PEM)


@router.get(REVOCATION_PATH, response_class=Response, responses={200: {"content": {_PEM: {}}}})
def revoked(revocations: RevocationsDep) -> Response:
    """The revocation list of the issuing CA."""
    return Response(revocations.current(), media_type=_PEM)


@router.post(ENROLMENT_PATH)
def enrol(
    body: EnrolmentRequest,
    address: AddressDep,
    enrolment: EnrolmentDep,
    container: ContainerDep,
) -> EnrolmentAnswer:
    """Let a box in that shows a one-time token."""
    with _counted(container, address):
        return enrolment.enrol(body)


@router.post(RENEWAL_PATH)
def renew(
    device: str,
    body: SignedRenewal,
    address: AddressDep,
    enrolment: EnrolmentDep,
    container: ContainerDep,
) -> EnrolmentAnswer:
    """A new certificate for a box that signs with its key in force."""
    with _counted(container, address):
        return enrolment.renew(device, body)


@contextmanager
def _counted(container: CoordinatorContainer, address: str) -> Iterator[None]:
    attempts, enrolments = container.attempts(), container.metrics().enrolments
    attempts.refuse_flood(address)
    try:
        yield
    except (TrustError, ConflictError):
        attempts.failed(address)
        container.security_events().record(
            EventKind.ENROLMENT_REFUSED, subject="a box", address=address
        )
        enrolments.labels("refused").inc()
        raise
    enrolments.labels("granted").inc()
