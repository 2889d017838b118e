"""The Bedrock stub's routes, and the steps of each kind of call behind them."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from scripts.local.stubs.bedrock import billing, demands, guardrail, invoke, wire
from scripts.local.stubs.bedrock.answers import chat_answer
from scripts.local.stubs.bedrock.conversation import last_user_text, request_tokens, whole_text
from scripts.local.stubs.bedrock.errors import asked_for, service_error
from scripts.local.stubs.bedrock.families import registry
from scripts.local.stubs.bedrock.frames import chat_frames
from scripts.local.stubs.bedrock.replies import ReplyHandler
from scripts.local.stubs.bedrock.requests import (
    resolve,
    validate,
    validate_count,
    validate_native,
)
from scripts.local.stubs.calls import Call, Outcome
from scripts.local.stubs.errors import ServiceError, invalid
from scripts.local.stubs.model_stub import MAX_BODY_BYTES
from tollgate.dialects.bedrock import eventstream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.local.stubs.bedrock.answers import Answer
    from scripts.local.stubs.bedrock.catalogue import Target
    from scripts.local.stubs.bedrock.families.forms import Said
    from scripts.local.stubs.bedrock.server import BedrockStub

_MODEL_PATH = re.compile(rf"/model/([^/]+)/({'|'.join(wire.OPERATIONS)})")
_STREAMS = ("converse-stream", "invoke-with-response-stream")


class Handler(ReplyHandler):
    """Serves one connection of the stub."""

    @property
    def stub(self) -> BedrockStub:
        """What it serves."""
        return cast("BedrockStub", self.server.stub)

    def dispatch(self, method: str) -> None:
        """Serve one request."""
        target = urlsplit(self.path)
        body = self.read_body(MAX_BODY_BYTES)
        if body is None:
            self.send_service_error(invalid("the request body is too large"))
            return
        if method == "POST" and (match := _MODEL_PATH.fullmatch(target.path)):
            with self.stub.under_way:
                self._model_call(
                    Call(match[2], unquote(match[1]), access_key_id=self.access_key_id()), body
                )
        elif method == "GET" and target.path in wire.LISTINGS:
            self._listing(target.path, dict(parse_qsl(target.query)))
        elif not self.serve_test(method, target.path, body):
            self.send_service_error(
                service_error("UnknownOperationException", f"no {method} {target.path}")
            )

    def _listing(self, path: str, query: Mapping[str, str]) -> None:
        try:
            wire.check_listing(path, query)
        except ServiceError as error:
            self.send_service_error(error)
            return
        if path == "/foundation-models":
            self.send_json({"modelSummaries": self.stub.catalogue.foundation_models(query)})
        else:
            self.send_json(self._profiles(query))

    def _profiles(self, query: Mapping[str, str]) -> dict[str, Any]:
        profiles = self.stub.catalogue.inference_profiles()
        if query.get("type", "SYSTEM_DEFINED") != "SYSTEM_DEFINED":
            profiles = []
        start = int(query.get("nextToken", "0"))
        end = start + int(query.get("maxResults", "1000"))
        page: dict[str, Any] = {"inferenceProfileSummaries": profiles[start:end]}
        if end < len(profiles):
            page["nextToken"] = str(end)
        return page

    def _model_call(self, call: Call, body: bytes) -> None:
        try:
            document = wire.read(call, self.headers, body)
            if call.operation == "count-tokens":
                self._count_tokens(call, document)
            elif call.operation.startswith("invoke"):
                self._native_call(call, document)
            else:
                self._chat(call, document)
        except ServiceError as error:
            self.stub.log.write(call, Outcome.of_error(error))
            self.send_service_error(error)

    def _direct(self, call: Call, text: str) -> None:
        """Read the directions of a call, wait as directed and fail as directed."""
        self.stub.direct(call, text)
        call.tier = call.directions.values.get("tier", call.tier)
        self.stub.wait(call)
        if call.directions.error is not None:
            code, mid_stream = call.directions.error
            if not (mid_stream and call.operation in _STREAMS):
                raise asked_for(code)

    # --- Converse and ConverseStream ----------------------------------------------------------

    def _chat(self, call: Call, request: Mapping[str, Any]) -> None:
        target = resolve(self.stub.catalogue, call.model_id)
        validate(request, target)
        guard = guardrail.of_converse(request)
        call.tier = request.get("serviceTier", {}).get("type", "default")
        call.input_tokens = request_tokens(request)
        self._charge(call, demands.of_converse(request, target), target, request)
        self._direct(call, last_user_text(request))
        answer = chat_answer(call, target)
        trace: Mapping[str, Any] = {}
        if guard is not None:
            read = self._guard(call, request, whole_text(request), answer.text)
            trace = guard.converse_trace(read)
        if call.operation == "converse":
            self._converse(call, answer, trace)
        else:
            self._converse_stream(call, target, answer, trace)

    def _charge(
        self, call: Call, demand: demands.Demand, target: Target, body: Mapping[str, Any]
    ) -> None:
        billing.charge(call, demand)
        if self.stub.worst_case:
            billing.charge_worst(call, demand, target, body)

    def _guard(self, call: Call, body: Mapping[str, Any], given: str, made: str) -> guardrail.Read:
        """Note on a call what its guardrail reads: these texts, or at worst all there may be."""
        if self.stub.worst_case:
            given = billing.whole_text(body)
        read = guardrail.Read(len(given), max(len(made), billing.most_characters(call)))
        call.units = {**call.units, **read.charged}
        call.is_narrowed = guardrail.narrows(body)
        return read

    def _converse(self, call: Call, answer: Answer, trace: Mapping[str, Any]) -> None:
        usage = call.usage(answer.output_tokens)
        if not self.end_call(call, usage, answer.stop_reason):
            return
        response: dict[str, Any] = {
            "output": {"message": {"role": "assistant", "content": answer.content}},
            **answer.end,
            "usage": usage,
            "metrics": {"latencyMs": call.latency_ms},
        }
        self.send_json({**response, **_served_tier(call), **trace})

    def _converse_stream(
        self, call: Call, target: Target, answer: Answer, trace: Mapping[str, Any]
    ) -> None:
        def metadata(usage: Mapping[str, Any]) -> bytes:
            told = _with_cached_input(usage) if target.counts_cached_input else usage
            facts = {"usage": told, "metrics": {"latencyMs": call.latency_ms}}
            return eventstream.event("metadata", {**facts, **_served_tier(call), **trace})

        self.send_stream(call, list(chat_frames(answer)), answer.stop_reason, last=metadata)

    # --- InvokeModel and InvokeModelWithResponseStream ----------------------------------------

    def _native_call(self, call: Call, document: Mapping[str, Any]) -> None:
        call.tier = self.headers.get("X-Amzn-Bedrock-Service-Tier", "default")
        target = resolve(self.stub.catalogue, call.model_id)
        if target.model.mode == "chat":
            self._native_text(call, target, document)
            return
        if call.operation in _STREAMS:
            raise invalid("The model is unsupported for streaming")
        self._direct(call, json.dumps(document))
        if target.model.mode == "embedding":
            answer, call.input_tokens, images = registry.embed(target.model.model_id, document)
            call.units = {"image": images} if images else {}
            if self.stub.worst_case:
                call.input_tokens = billing.most_input_tokens(document)
        else:
            answer, units = registry.draw(target.model.model_id, document)
            call.units = {f"image/{kind}": count for kind, count in units.items()}
        self._native_answer(call, target, answer)

    def _native_text(self, call: Call, target: Target, document: Mapping[str, Any]) -> None:
        prompt = invoke.prompt_of(target, document)
        validate_native(document, target)
        call.input_tokens = prompt.input_tokens
        self._charge(call, demands.of_native(document, target), target, document)
        guard = guardrail.of_headers(self.headers)
        self._direct(call, prompt.text)
        said = invoke.said_to(prompt, call, target)
        traces: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        if guard is not None:
            read = self._guard(call, document, prompt.text, said.text)
            traces = (guard.native_input(read), guard.native_output(read))
        family = registry.text_body(target.model.model_id)
        if call.operation == "invoke":
            answer = invoke.with_traces(family.answer(said), traces)
            self._native_answer(call, target, answer, said)
        else:
            frames = invoke.chunk_frames(call, family, said, traces)
            self.send_stream(call, frames, said.stop_reason)

    def _native_answer(
        self,
        call: Call,
        target: Target,
        answer: Mapping[str, Any],
        said: Said | None = None,
    ) -> None:
        """Send what answers a native body; `said` is the text in it, which alone is output."""
        usage = call.usage(0 if said is None else len(said.pieces))
        if not self.end_call(call, usage, None if said is None else said.stop_reason):
            return
        headers = invoke.answer_headers(call, target, usage)
        self.send_json(answer, headers=headers | self.tier_header(call))

    # --- CountTokens --------------------------------------------------------------------------

    def _count_tokens(self, call: Call, request: Mapping[str, Any]) -> None:
        target = resolve(self.stub.catalogue, call.model_id, on_demand=False)
        given = request["input"]
        validate_count(given, call.model_id, target)
        if "converse" in given:
            tokens = request_tokens(given["converse"])
            counted: Mapping[str, Any] = given["converse"]
        else:
            counted = wire.parsed(base64.b64decode(given["invokeModel"]["body"]))
            tokens = invoke.prompt_of(target, counted).input_tokens
            validate_native(counted, target)
        if self.stub.worst_case:
            tokens = max(tokens, billing.most_input_tokens(counted))
        self.stub.log.write(call, Outcome("ok"))
        self.send_json({"inputTokens": tokens})


def _served_tier(call: Call) -> dict[str, Any]:
    """Return the `serviceTier` member, which only calls that name a tier are answered with."""
    if "serviceTier" in call.request or "tier" in call.directions.values:
        return {"serviceTier": {"type": call.tier}}
    return {}


def _with_cached_input(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The usage whose input has the cache's tokens as well, which are told beside it again."""
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    return {**usage, "inputTokens": usage["inputTokens"] + cached}
