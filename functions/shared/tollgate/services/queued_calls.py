"""An admitted call as the document that travels from where a job is started to where it runs."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tollgate.domain.custody import Custody
from tollgate.domain.ledger import Hold, Scope
from tollgate.domain.sessions import Session
from tollgate.domain.tenants import Budget, Caller, Limits
from tollgate.ports import ModelRequest
from tollgate.services.calls import AdmittedCall
from tollgate.services.ledger import Lease
from tollgate.services.pricing import PriceTerms


def encode_call(call: AdmittedCall) -> bytes:
    """A call as the JSON document that travels to the producer."""
    # Media are bytes; they travel as base64 under a name that no caller can have used.
    marker = f"bytes-{uuid.uuid4()}"

    def encode(value: object) -> object:
        if isinstance(value, bytes):
            return {marker: base64.b64encode(value).decode()}
        if isinstance(value, datetime):
            return value.isoformat()
        raise TypeError(f"cannot store {type(value).__name__} in a job")

    return json.dumps({"marker": marker, "call": asdict(call)}, default=encode).encode()


def decode_call(document: bytes) -> AdmittedCall:
    """The call of a document that `encode_call` wrote."""
    marker = json.loads(document)["marker"]

    def decode(value: dict[str, Any]) -> object:
        return base64.b64decode(value[marker]) if value.keys() == {marker} else value

    data = json.loads(document, object_hook=decode)["call"]
    lease, request = data["lease"], data["request"]
    session = request["session"]
    hold = Hold(**lease["hold"])
    return AdmittedCall(
        caller=Caller(**data["caller"]),
        lease=Lease(
            hold=hold,
            scopes=tuple(
                Scope(
                    **{
                        **item,
                        "budget": Budget(**item["budget"]),
                        "limits": Limits(**item["limits"]),
                    }
                )
                for item in lease["scopes"]
            ),
            minutes=tuple(lease["minutes"]),
            over_budget=lease["over_budget"],
            would_refuse=lease.get("would_refuse"),
        ),
        started_at=datetime.fromisoformat(data["started_at"]),
        request=ModelRequest(**{**request, "session": session and Session(**session)}),
        cost_center=data["cost_center"],
        tags=data["tags"],
        terms=PriceTerms(**data["terms"]),
        units=data["units"],
        lowered_max_tokens=data["lowered_max_tokens"],
        custody=Custody(**data["custody"]),
        # A call that was queued before this field existed has none.
        business_unit=data.get("business_unit"),
    )
