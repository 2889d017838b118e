"""Long-poll jobs: the streaming table, the payload bucket and the queue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.adapters.aws import conditionally_reaching, from_values, reaching, to_values
from tollgate.domain.jobs import (
    JOB_EXPIRED,
    RETENTION_SECONDS,
    Job,
    JobStatus,
    queue_message,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_DEPENDENCY = "streaming table"
_JOB = "JOB"
_UNFINISHED = {":queued": "queued", ":running": "running"}


class DynamoJobs:
    """`tollgate.ports.Jobs` on DynamoDB: `JOB#<tenant>#<id>`, items `JOB` and `CHUNK#<n>`.

    The tenant stands first in the key, so that a policy on leading keys can tell tenants apart.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
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
            "expires_at": job.available_until + RETENTION_SECONDS,
        }
        with reaching(_DEPENDENCY):
            self._client.put_item(TableName=self._table, Item=to_values(item))

    def get(self, tenant_id: str, job_id: str) -> Job | None:
        """One consistent read."""
        with reaching(_DEPENDENCY):
            answer = self._client.get_item(
                TableName=self._table,
                Key=to_values(_key(tenant_id, job_id, _JOB)),
                ConsistentRead=True,
            )
        item = answer.get("Item")
        return None if item is None else _job(tenant_id, job_id, from_values(item))

    def claim(self, tenant_id: str, job_id: str, now: datetime, deadline: int) -> Job | None:
        """queued → running, once, and only before the deadline."""
        try:
            with conditionally_reaching(_DEPENDENCY):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_values(_key(tenant_id, job_id, _JOB)),
                    UpdateExpression="SET #status = :running, claimed = :true, deadline = :new",
                    ConditionExpression="#status = :queued AND deadline >= :now",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues=to_values(
                        {
                            ":running": "running",
                            ":queued": "queued",
                            ":new": deadline,
                            ":true": True,
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
        return self._end(tenant_id, job_id, "failed", JOB_EXPIRED, unless_claimed=True)

    def append(self, tenant_id: str, job_id: str, index: int, text: str, expires_at: int) -> None:
        """Writes one CHUNK item."""
        key = _key(tenant_id, job_id, _chunk(index))
        item = {**key, "text": text, "expires_at": expires_at}
        with reaching(_DEPENDENCY):
            self._client.put_item(TableName=self._table, Item=to_values(item))

    def finish(
        self, tenant_id: str, job_id: str, status: JobStatus, result: Mapping[str, Any]
    ) -> None:
        """Ends a queued or running job; a finished one stays as it is."""
        self._end(tenant_id, job_id, status, result, unless_claimed=False)

    def _end(
        self,
        tenant_id: str,
        job_id: str,
        status: JobStatus,
        result: Mapping[str, Any],
        *,
        unless_claimed: bool,
    ) -> bool:
        states = {":queued": "queued"} if unless_claimed else _UNFINISHED
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client.update_item(
                    TableName=self._table,
                    Key=to_values(_key(tenant_id, job_id, _JOB)),
                    UpdateExpression="SET #status = :status, #result = :result",
                    ConditionExpression=f"#status IN ({', '.join(states)})",
                    ExpressionAttributeNames={"#status": "status", "#result": "result"},
                    ExpressionAttributeValues=to_values(
                        {":status": status, ":result": dict(result), **states}
                    ),
                )
        except ClientError:
            return False
        return True

    def chunks(self, tenant_id: str, job_id: str, cursor: int) -> Sequence[str]:
        """The chunk texts from `cursor` on."""
        texts: list[str] = []
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_values(
                {
                    ":pk": _partition(tenant_id, job_id),
                    ":first": _chunk(cursor),
                    ":last": "CHUNK#~",
                }
            ),
            ConsistentRead=True,
        )
        with reaching(_DEPENDENCY):
            for page in pages:
                texts += [from_values(item)["text"] for item in page["Items"]]
        return texts


class S3Payloads:
    """`tollgate.ports.Payloads` on S3; the bucket encrypts with the deployment's key."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, document: bytes) -> None:
        """Stores a document."""
        with reaching("payload bucket"):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=document, ContentType="application/json"
            )

    def get(self, key: str) -> bytes | None:
        """Reads a document."""
        with reaching("payload bucket"):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None


class SqsJobQueue:
    """`tollgate.ports.JobQueue` on a standard SQS queue; the message group makes it fair."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, tenant_id: str, job_id: str) -> None:
        """Queues the ids only: the request itself stays in the encrypted bucket."""
        with reaching("job queue"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=queue_message(tenant_id, job_id),
                MessageGroupId=tenant_id,
            )


def _partition(tenant_id: str, job_id: str) -> str:
    return f"JOB#{tenant_id}#{job_id}"


def _key(tenant_id: str, job_id: str, sk: str) -> dict[str, str]:
    return {"pk": _partition(tenant_id, job_id), "sk": sk}


def _chunk(index: int) -> str:
    return f"CHUNK#{index:06d}"


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
    )
