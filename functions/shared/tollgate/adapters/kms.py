"""Texts sealed with a tenant's own KMS key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.adapters.aws import reaching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_kms import KMSClient

_DEPENDENCY = "tenant's key"
# The most that KMS encrypts itself, without a data key.
PIECE_BYTES = 4096


class KmsTexts:
    """Seals texts and opens them again, under the key and context that they were sealed with.

    `client_of` gives the KMS client for a tenant's texts.
    """

    def __init__(self, client_of: Callable[[str], KMSClient]) -> None:
        self._client_of = client_of

    def seal(self, kms_key_arn: str, tenant_id: str, job_id: str, text: str) -> list[bytes]:
        """The text in encrypted pieces."""
        whole = text.encode()
        client, context = self._client_of(tenant_id), _context(tenant_id, job_id)
        with reaching(_DEPENDENCY):
            return [
                client.encrypt(
                    KeyId=kms_key_arn,
                    Plaintext=whole[start : start + PIECE_BYTES],
                    EncryptionContext=context,
                )["CiphertextBlob"]
                for start in range(0, len(whole), PIECE_BYTES)
            ]

    def open(self, kms_key_arn: str, tenant_id: str, job_id: str, pieces: Sequence[bytes]) -> str:
        """The text of sealed pieces. They open for no other tenant, job or key."""
        client, context = self._client_of(tenant_id), _context(tenant_id, job_id)
        with reaching(_DEPENDENCY):
            opened = [
                client.decrypt(KeyId=kms_key_arn, CiphertextBlob=piece, EncryptionContext=context)[
                    "Plaintext"
                ]
                for piece in pieces
            ]
        # A character may lie across two pieces.
        return b"".join(opened).decode()


def _context(tenant_id: str, job_id: str) -> Mapping[str, str]:
    return {"tenant": tenant_id, "job": job_id}
