"""A token or a running identity → new keys, certified and stored all at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from common.certificates import (
    TlsKey,
    make_csr,
    new_tls_key,
    tls_key_from_pem,
    tls_key_to_pem,
    verify_chain,
)
from common.chain_checks import only_certificate, read_certificates
from common.encryption import SigningKey
from common.enrolment import (
    EnrolmentAnswer,
    EnrolmentRequest,
    EnrolmentToken,
    RenewalRequest,
    sign_renewal,
    to_base64,
)
from common.errors import ConfigError, ConflictError, TrustError
from common.learning_keys import learning_key_line, new_learning_key
from common.private_files import make_private_folder, read_private, write_private
from common.timing import Clock
from edge.enrol import identity_files as files
from edge.enrol.client import CoordinatorClient
from edge.enrol.identity import Identity, identity_of, order_keys, sealing_keys

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _NewKeys:
    """Keys that the coordinator is about to certify."""

    signing: SigningKey
    tls: TlsKey
    learning: bytes

    def proof(self, csr_pem: bytes) -> str:
        """Base64 of the signature that shows we have the private half."""
        return to_base64(self.signing.sign(csr_pem))


def enrol(
    client: CoordinatorClient,
    token: EnrolmentToken,
    folder: Path,
    *,
    clock: Clock,
    again: bool = False,
) -> Identity:
    """Make keys on this box, have them certified, and store the identity.

    An attempt whose answer was lost can be repeated with the same token: the keys wait in
    the folder, and the coordinator knows them.

    Args:
        client: The coordinator.
        token: Good for one box.
        folder: Becomes private (0700).
        clock: Judges the certificate.
        again: Give up the identity that is there.

    Raises:
        ConflictError: Already enrolled, or the token was used by another box.
        TrustError: Not the coordinator of the token, or an answer that does not hold.
        UnreachableError: The coordinator is away, or the folder cannot be written.
    """
    make_private_folder(folder)
    if not again and (folder / files.DEVICE_FILE).exists():
        raise ConflictError(
            f"{folder} holds the identity of {Identity.load(folder).device!r} already",
            hint="to give it up, enrol with --again",
        )
    keys = _waiting_keys(folder / files.ENROLLING_FOLDER)
    csr_pem = make_csr(keys.tls)
    request = EnrolmentRequest(
        token=token.secret,
        csr_pem=csr_pem.decode(),
        signing_key=to_base64(keys.signing.public.raw),
        proof=keys.proof(csr_pem),
        learning_key=learning_key_line(keys.learning),
    )
    trust_pem = client.trust_anchor(token.trust_fingerprint)
    answer = client.enrol(request, trust_pem)
    _check(answer, keys, trust_pem, clock)
    content = identity_of(answer, coordinator_url=client.url, signing_since=clock.now())
    _store(folder, content | {files.TRUST_FILE: trust_pem} | _release_root(answer), keys)
    identity = Identity.load(folder)
    log.info("box_enrolled", device=identity.device, signing_key=identity.signing.key_id)
    return identity


def renew(
    client: CoordinatorClient, identity: Identity, *, clock: Clock, rotate_signing: bool = False
) -> Identity:
    """Get a certificate for a new TLS key, and with ``rotate_signing`` for a new report key.

    Raises:
        ConflictError: The coordinator retired this box.
        TrustError: Refused, or an answer that does not hold.
        UnreachableError: The coordinator is away, or the folder cannot be written.
    """
    # A rotation whose answer was lost is repeated first, whatever is wanted now.
    waiting = identity.folder / files.RENEWING_FOLDER
    is_begun = (waiting / files.SIGNING_KEY_FILE).exists()
    keys = _waiting_keys(
        waiting,
        None if rotate_signing or is_begun else identity.signing,
        learning=_learning_key(identity),
    )
    csr_pem = make_csr(keys.tls, identity.device)
    request = RenewalRequest(
        device=identity.device,
        csr_pem=csr_pem.decode(),
        signing_key=to_base64(keys.signing.public.raw),
        proof=keys.proof(csr_pem),
        at=clock.now(),
        learning_key=learning_key_line(keys.learning),
    )
    answer = _renewed(client, identity, request, keys)
    _check(answer, keys, identity.trust_pem, clock)
    if (answer.device, answer.tenant) != (identity.device, identity.about.tenant):
        raise TrustError(
            f"renewal answers for {answer.tenant}/{answer.device}, "
            f"expected {identity.about.tenant}/{identity.device}"
        )
    is_same = keys.signing.key_id == identity.signing.key_id
    content = identity_of(
        answer,
        coordinator_url=client.url,
        signing_since=identity.about.signing_since if is_same else clock.now(),
    )
    # Never another one: whoever takes the coordinator over must not name his own keys.
    root = _release_root(answer) if identity.release_root is None else {}
    _store(identity.folder, content | root, keys)
    renewed = Identity.load(identity.folder)
    log.info(
        "identity_renewed",
        device=renewed.device,
        signing_key=renewed.signing.key_id,
        expires_at=renewed.certificate.expires_at.isoformat(),
    )
    return renewed


def _renewed(
    client: CoordinatorClient, identity: Identity, request: RenewalRequest, keys: _NewKeys
) -> EnrolmentAnswer:
    device, trust_pem = identity.device, identity.trust_pem
    signed = sign_renewal(identity.signing, request)
    try:
        return client.renew(signed, device=device, trust_pem=trust_pem)
    except TrustError:
        if keys.signing.key_id == identity.signing.key_id:
            raise
    # The coordinator may have taken the new key, and dropped the old one, long before a
    # lost answer could be asked for again.
    return client.renew(sign_renewal(keys.signing, request), device=device, trust_pem=trust_pem)


def _learning_key(identity: Identity) -> bytes | None:
    """The key of the federated node that the box has; a damaged one is replaced."""
    path = identity.learning_key_file
    if not path.exists():
        return None
    try:
        private = read_private(path)
        learning_key_line(private)
    except ConfigError as error:
        log.warning("learning_key_replaced", reason=str(error))
        return None
    return private


def _waiting_keys(
    waiting: Path, signing: SigningKey | None = None, learning: bytes | None = None
) -> _NewKeys:
    """The keys of an interrupted attempt, or new ones; given ones are kept."""
    make_private_folder(waiting)
    if signing is None:
        signing_file = waiting / files.SIGNING_KEY_FILE
        if not signing_file.exists():
            SigningKey.generate().save(signing_file)
        signing = SigningKey.load(signing_file)
    tls_file = waiting / files.TLS_KEY_FILE
    if not tls_file.exists():
        write_private(tls_file, tls_key_to_pem(new_tls_key()))
    if learning is None:
        learning_file = waiting / files.LEARNING_KEY_FILE
        if not learning_file.exists():
            write_private(learning_file, new_learning_key())
        learning = read_private(learning_file)
    return _NewKeys(signing, tls_key_from_pem(read_private(tls_file)), learning)


def _check(answer: EnrolmentAnswer, keys: _NewKeys, trust_pem: bytes, clock: Clock) -> None:
    """Refuse an answer that would leave this box without a working identity."""
    if only_certificate(answer.trust_pem.encode()) != trust_pem:
        raise TrustError("coordinator's answer names another trust anchor than the one in force")
    certified = verify_chain(answer.full_chain, trust_pem, clock.now())
    if certified.device != answer.device:
        raise TrustError(f"certificate is of {certified.device!r}, expected {answer.device!r}")
    if read_certificates(answer.full_chain)[0].public_key() != keys.tls.public_key():
        raise TrustError("certificate is of another key than the one that was brought")
    sealing_keys(answer.sealing_keys)
    order_keys(answer.order_keys)


def _release_root(answer: EnrolmentAnswer) -> dict[str, bytes]:
    root = answer.release_root
    return {} if root is None else {files.RELEASE_ROOT_FILE: root.encode()}


def _store(folder: Path, content: dict[str, bytes], keys: _NewKeys) -> None:
    private = {
        files.SIGNING_KEY_FILE: keys.signing.to_pem(),
        files.TLS_KEY_FILE: tls_key_to_pem(keys.tls),
        files.LEARNING_KEY_FILE: keys.learning,
    }
    files.replace_files(folder, content | private)
