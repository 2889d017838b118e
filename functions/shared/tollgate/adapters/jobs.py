"""Long-poll jobs: the streaming table, the payload bucket and the queue."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from botocore.exceptions import ClientError

from tollgate.adapters.aws import conditionally_reaching, from_values, reaching, to_values
from tollgate.domain.custody import Custody
from tollgate.domain.jobs import JOB_EXPIRED, MEMORY_SECONDS, Job, queue_message
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from tollgate.adapters.kms import KmsTexts
    from tollgate.domain.jobs import JobPart

_DEPENDENCY = "streaming table"
_BUCKET = "payload bucket"
_JOB = "JOB"
_SERIES: Mapping[JobPart, str] = {"text": "CHUNK", "content": "CONTENT"}
_DENIED_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_UNFINISHED = {":queued": "queued", ":running": "running"}


class DynamoJobs:
    """`tollgate.ports.Jobs` on DynamoDB: `JOB#<tenant>#<id>`, item `JOB`.

    The tenant stands first in the key, so that a policy on leading keys can tell tenants apart.
    """

    def __init__(self, client_of: Callable[[str], DynamoDBClient], table: str) -> None:
        """`client_of` gives the client for a tenant's items."""
        self._client_of = client_of
        self._table = table

    def create(self, job: Job) -> None:
        """Writes the JOB item."""
        item = {
            **_key(job.tenant_id, job.job_id, _JOB),
            "app_id": job.app_id,
            "status": job.status,
            "created_at": job.created_at.isoformat(),
            "deadline": job.deadline,
            "available_until": job.available_until,
            "payload_key": job.payload_key,
            "claimed": job.claimed,
            "result": dict(job.result),
            "retention_seconds": job.custody.seconds,
            "kms_key_arn": job.custody.kms_key_arn,
            "expires_at": job.available_until + MEMORY_SECONDS,
        }
        with reaching(_DEPENDENCY):
            self._client_of(job.tenant_id).put_item(TableName=self._table, Item=to_values(item))

    def get(self, tenant_id: str, job_id: str) -> Job | None:
        """One consistent read."""
        with reaching(_DEPENDENCY):
            answer = self._client_of(tenant_id).get_item(
                TableName=self._table,
                Key=to_values(_key(tenant_id, job_id, _JOB)),
                ConsistentRead=True,
            )
        item = answer.get("Item")
        return None if item is None else _job(tenant_id, job_id, from_values(item))

    def claim(
        self, tenant_id: str, job_id: str, now: datetime, deadline: int, claim_id: str
    ) -> Job | None:
        """queued → running, once, and only before the deadline.

        The SDK sends a write again whose answer was lost: that finds its own claim.
        """
        try:
            with conditionally_reaching(_DEPENDENCY):
                answer = self._client_of(tenant_id).update_item(
                    TableName=self._table,
                    Key=to_values(_key(tenant_id, job_id, _JOB)),
                    UpdateExpression=(
                        "SET #status = :running, claimed = :true, claim_id = :claim, "
                        "deadline = :new"
                    ),
                    ConditionExpression=(
                        "(#status = :queued AND deadline >= :now) OR "
                        "(#status = :running AND claim_id = :claim)"
                    ),
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues=to_values(
                        {
                            ":running": "running",
                            ":queued": "queued",
                            ":new": deadline,
                            ":true": True,
                            ":claim": claim_id,
                            ":now": int(now.timestamp()),
                        }
                    ),
                    ReturnValues="ALL_NEW",
                )
        except ClientError:
            return None
        return _job(tenant_id, job_id, from_values(answer["Attributes"]))

    def abandon(self, tenant_id: str, job_id: str) -> bool:
        """queued → failed."""
        changes = {"status": "failed", "result": dict(JOB_EXPIRED)}
        return self._end(tenant_id, job_id, changes, unless_claimed=True)

    def finish(self, ended: Job) -> None:
        """Ends a queued or running job; a finished one stays as it is."""
        changes = {
            "status": ended.status,
            "result": dict(ended.result),
            "available_until": ended.available_until,
            "expires_at": ended.available_until + MEMORY_SECONDS,
        }
        self._end(ended.tenant_id, ended.job_id, changes, unless_claimed=False)

    def _end(
        self, tenant_id: str, job_id: str, changes: Mapping[str, Any], *, unless_claimed: bool
    ) -> bool:
        states = {":queued": "queued"} if unless_claimed else _UNFINISHED
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client_of(tenant_id).update_item(
                    TableName=self._table,
                    Key=to_values(_key(tenant_id, job_id, _JOB)),
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                    ConditionExpression=f"#status IN ({', '.join(states)})",
                    ExpressionAttributeNames={f"#{name}": name for name in changes},
                    ExpressionAttributeValues=to_values(
                        {**{f":{name}": value for name, value in changes.items()}, **states}
                    ),
                )
        except ClientError:
            return False
        return True


class DynamoJobTexts:
    """`tollgate.ports.JobTexts` on DynamoDB: `CHUNK#<n>` and `CONTENT#<n>` beside a job's own item.

    A tenant with a key of its own has its texts sealed: DynamoDB takes one key for a whole table.
    """

    def __init__(
        self, client_of: Callable[[str], DynamoDBClient], table: str, sealing: KmsTexts
    ) -> None:
        """`client_of` gives the client for a tenant's items."""
        self._client_of = client_of
        self._table = table
        self._sealing = sealing

    def append(self, job: Job, index: int, text: str, part: JobPart = "text") -> None:
        """Writes one item."""
        item: dict[str, Any] = {
            **_key(job.tenant_id, job.job_id, _chunk(part, index)),
            "expires_at": job.available_until,
        }
        key_arn = job.custody.kms_key_arn
        if key_arn is None:
            item["text"] = text
        else:
            item["sealed"] = self._sealing.seal(key_arn, job.tenant_id, job.job_id, text)
        with reaching(_DEPENDENCY):
            self._client_of(job.tenant_id).put_item(TableName=self._table, Item=to_values(item))

    def chunks(self, job: Job, cursor: int, part: JobPart = "text") -> Sequence[str]:
        """The texts from `cursor` on."""
        items: list[dict[str, Any]] = []
        pages = (
            self._client_of(job.tenant_id)
            .get_paginator("query")
            .paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues=to_values(
                    {
                        ":pk": _partition(job.tenant_id, job.job_id),
                        ":first": _chunk(part, cursor),
                        ":last": f"{_SERIES[part]}#~",
                    }
                ),
                ConsistentRead=True,
            )
        )
        with reaching(_DEPENDENCY):
            for page in pages:
                items += [from_values(item) for item in page["Items"]]
        return [self._text(job, item) for item in items]

    def _text(self, job: Job, item: Mapping[str, Any]) -> str:
        key_arn = job.custody.kms_key_arn
        if key_arn is None:
            text: str = item["text"]
            return text
        pieces = [bytes(piece) for piece in item["sealed"]]
        return self._sealing.open(key_arn, job.tenant_id, job.job_id, pieces)


class S3Payloads:
    """`tollgate.ports.Payloads` on S3; the bucket encrypts with the deployment's key by default."""

    def __init__(self, client_of: Callable[[str], S3Client], bucket: str) -> None:
        """`client_of` gives the client for a tenant's documents."""
        self._client_of = client_of
        self._bucket = bucket

    def put(self, tenant_id: str, key: str, document: bytes, kms_key_arn: str | None) -> None:
        """Stores a document."""
        with reaching(_BUCKET):
            self._client_of(tenant_id).put_object(
                Bucket=self._bucket,
                Key=key,
                Body=document,
                ContentType="application/json",
                **_encryption(tenant_id, kms_key_arn),
            )

    def get(self, tenant_id: str, key: str) -> bytes | None:
        """Reads a document; KMS checks the context that it was stored with."""
        client = self._client_of(tenant_id)
        with reaching(_BUCKET):
            try:
                return client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as error:
                if not _is_absent(error):
                    raise
                code = error.response["Error"]["Code"]
                logger.warning("no document", extra={"key": key, "error_code": code})
                return None

    def delete(self, tenant_id: str, key: str) -> None:
        """Deletes a document."""
        with reaching(_BUCKET):
            self._client_of(tenant_id).delete_object(Bucket=self._bucket, Key=key)


class SqsJobQueue:
    """`tollgate.ports.JobQueue` on a standard SQS queue; the message group makes it fair."""

    def __init__(self, client: Callable[[], SQSClient], queue_url: str) -> None:
        """`client` is asked for at each message: who hardly sends one need not have it before."""
        self._client = client
        self._queue_url = queue_url

    def send(self, tenant_id: str, job_id: str) -> None:
        """Queues the ids only: the request itself stays in the encrypted bucket."""
        with reaching("job queue"):
            self._client().send_message(
                QueueUrl=self._queue_url,
                MessageBody=queue_message(tenant_id, job_id),
                MessageGroupId=tenant_id,
            )

    def retry(self, receipt: str, seconds: int) -> None:
        """Changes how long the message stays invisible, counted from now."""
        with reaching("job queue"):
            self._client().change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )


def _is_absent(error: ClientError) -> bool:
    """Whether S3 says, in as many words as it has for us, that there is no such object.

    Whoever may not list a bucket is denied what it does not hold. No role of ours may: the names of
    objects are other tenants' requests. A denial of something else names what it is of.
    """
    details = error.response["Error"]
    if details["Code"] != "AccessDenied":
        return details["Code"] == "NoSuchKey"
    denied = _DENIED_ACTION.search(details.get("Message", ""))
    return denied is None or denied[1] == "s3:ListBucket"


class _Encryption(TypedDict, total=False):
    ServerSideEncryption: Literal["aws:kms"]
    SSEKMSKeyId: str
    SSEKMSEncryptionContext: str
    BucketKeyEnabled: bool


def _encryption(tenant_id: str, kms_key_arn: str | None) -> _Encryption:
    """What S3 is told of a tenant's own key."""
    if kms_key_arn is None:
        return {}
    context = json.dumps({"tenant": tenant_id}).encode()
    return {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": kms_key_arn,
        "SSEKMSEncryptionContext": base64.b64encode(context).decode(),
        # With a bucket key KMS would be asked under the bucket's context, not under this one.
        "BucketKeyEnabled": False,
    }


def _partition(tenant_id: str, job_id: str) -> str:
    return f"JOB#{tenant_id}#{job_id}"


def _key(tenant_id: str, job_id: str, sk: str) -> dict[str, str]:
    return {"pk": _partition(tenant_id, job_id), "sk": sk}


def _chunk(part: JobPart, index: int) -> str:
    return f"{_SERIES[part]}#{index:06d}"


def _job(tenant_id: str, job_id: str, item: Mapping[str, Any]) -> Job:
    return Job(
        job_id=job_id,
        tenant_id=tenant_id,
        app_id=item["app_id"],
        status=item["status"],
        created_at=datetime.fromisoformat(item["created_at"]).astimezone(UTC),
        deadline=item["deadline"],
        available_until=item["available_until"],
        payload_key=item["payload_key"],
        claimed=item["claimed"],
        result=item["result"],
        custody=Custody(item["retention_seconds"], item["kms_key_arn"]),
    )
