"""A running enrolment → a box's keys and answer, without the code of the edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from common.certificates import make_csr, new_tls_key, tls_key_to_pem
from common.encryption import SigningKey
from common.enrolment import (
    EnrolmentAnswer,
    EnrolmentRequest,
    RenewalRequest,
    SignedRenewal,
    sign_renewal,
    to_base64,
)
from common.private_files import make_private_folder, write_private
from coordinator.broker.brief_client import BrokerLogin


@dataclass
class Box:
    """Keys as a box makes them."""

    signing: SigningKey
    csr_pem: bytes
    key_pem: bytes

    @classmethod
    def new(cls) -> Box:
        key = new_tls_key()
        return cls(SigningKey.generate(), make_csr(key), tls_key_to_pem(key))

    def request(self, secret: str) -> EnrolmentRequest:
        return EnrolmentRequest(
            token=secret,
            csr_pem=self.csr_pem.decode(),
            signing_key=to_base64(self.signing.public.raw),
            proof=to_base64(self.signing.sign(self.csr_pem)),
        )

    def renewal(
        self, device: str, *, at: datetime | None = None, new: SigningKey | None = None
    ) -> SignedRenewal:
        key = new or self.signing
        request = RenewalRequest(
            device=device,
            csr_pem=self.csr_pem.decode(),
            signing_key=to_base64(key.public.raw),
            proof=to_base64(key.sign(self.csr_pem)),
            at=at or datetime.now(UTC),
        )
        return sign_renewal(self.signing, request)

    def login(self, answer: EnrolmentAnswer, folder: Path) -> BrokerLogin:
        make_private_folder(folder)
        write_private(folder / "trust.pem", answer.trust_pem.encode())
        write_private(folder / "tls.pem", (answer.certificate_pem + answer.chain_pem).encode())
        write_private(folder / "tls.key", self.key_pem)
        return BrokerLogin(
            host=answer.broker.host,
            port=answer.broker.port,
            protocol=answer.broker.protocol,
            client_id=answer.device,
            trust_file=folder / "trust.pem",
            certificate_file=folder / "tls.pem",
            key_file=folder / "tls.key",
        )
