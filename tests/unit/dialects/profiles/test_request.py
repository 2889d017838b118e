"""The second seed system's wire format: which profile is meant, and what is asked of it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import exchanges
from tests.fakes.world import NOVA_LITE, app, caller, tenant
from tollgate.dialects.profiles.request import choose, parse_chat
from tollgate.domain.errors import ConflictError, ForbiddenError, InvalidRequestError
from tollgate.domain.tenants import InferenceProfile
from tollgate.services.policy import Party

if TYPE_CHECKING:
    from tollgate.entry.http import Request

HOME = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/"
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def profile(name: str, **tags: str) -> InferenceProfile:
    return InferenceProfile(name=name, model=NOVA_LITE, arn=f"{HOME}id-of-{name}", tags=tags)


SEARCH = profile("search", ApplicationID="web", Stage="live", Owner="a")
TRIAL = profile("trial", ApplicationID="web", Stage="trial")
PARTY = Party(caller(), tenant(), app(inference_profiles={"search": SEARCH, "trial": TRIAL}))


def request(body: object = HELLO, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchanges.request(body, headers=named)


def tagged(*tags: tuple[str, Any]) -> Request:
    return request(tags=json.dumps([{"key": key, "value": value} for key, value in tags]))


@pytest.mark.parametrize("named", ["search", f"{HOME}id-of-search", "id-of-search"])
def test_a_profile_is_named_by_name_arn_or_id(named: str) -> None:
    assert choose(request(inference_profile_id=named), PARTY) is SEARCH


@pytest.mark.parametrize(
    "tags",
    [
        [("Stage", "trial")],
        [("Stage", "trial"), ("ApplicationID", "web")],
        [("Stage", "trial"), ("tenant", "acme"), ("app", "web"), ("cost_center", "CC-1")],
    ],
)
def test_a_profile_is_found_by_tags_that_it_has_among_others(tags: list[tuple[str, str]]) -> None:
    assert choose(tagged(*tags), PARTY) is TRIAL
    assert choose(request(tags=json.dumps(dict(tags))), PARTY) is TRIAL


@pytest.mark.parametrize(
    "tags", [[("ApplicationID", "web")], [("ApplicationID", "web"), ("tenant", "acme")]]
)
def test_tags_of_several_profiles_choose_none(tags: list[tuple[str, str]]) -> None:
    with pytest.raises(ConflictError) as refused:
        choose(tagged(*tags), PARTY)
    assert refused.value.code == "profile_ambiguous"
    assert refused.value.details == {"profiles": ["search", "trial"]}


@pytest.mark.parametrize(
    "asked",
    [
        request(inference_profile_id="globex-search"),
        request(inference_profile_id=f"{HOME}id-of-globex"),
        request(inference_profile_id=""),
        request(inference_profile_id=NOVA_LITE),
        tagged(("Stage", "live"), ("Owner", "b")),
        tagged(("Stage", "LIVE")),
        tagged(("stage", "live")),
        tagged(("tenant", "globex")),
        tagged(("app", "batch")),
    ],
)
def test_what_is_none_of_the_apps_own_is_refused(asked: Request) -> None:
    with pytest.raises(ForbiddenError, match="allowed are search, trial") as refused:
        choose(asked, PARTY)
    assert refused.value.code == "profile_not_allowed"


def test_a_tag_of_the_file_never_takes_the_place_of_the_gateways_own() -> None:
    posing = profile("search", Stage="live", tenant="globex")
    party = Party(caller(), tenant(), app(inference_profiles={"search": posing}))

    with pytest.raises(ForbiddenError):
        choose(tagged(("tenant", "globex"), ("Stage", "live")), party)


def test_an_app_without_profiles_is_told_so() -> None:
    with pytest.raises(ForbiddenError, match="none, as it has none"):
        choose(request(inference_profile_id="x"), Party(caller(), tenant(), app()))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (request(), "send one of the headers inference-profile-id and tags"),
        (request(inference_profile_id="search", tags="[]"), "send one of the headers"),
        (request(tags="["), "the header tags is not valid JSON"),
        (request(tags="[" * 5000), "the header tags is not valid JSON"),
        (request(tags="[]"), "tags is empty"),
        (request(tags="{}"), "tags is an object; allowed is an array"),
        (request(tags='"x"'), "tags is a string"),
        (request(tags="[5]"), r"tags\[0\] is a number"),
        (request(tags='[{"Key": "a"}]'), "unknown key 'Key'; allowed are key, value"),
        (request(tags='[{"key": "a"}]'), "the tag 'a' is null"),
        (tagged(("a", 5)), "the tag 'a' is a number"),
    ],
)
def test_headers_that_name_nothing_are_refused(asked: Request, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        choose(asked, PARTY)


def test_the_body_is_a_list_of_messages_or_an_object_with_them() -> None:
    plain = parse_chat(request(), SEARCH).call
    assert (plain.model, plain.dialect) == (SEARCH.arn, "profiles.chat")
    assert (plain.body, plain.max_tokens) == ({"messages": HELLO}, None)

    image = {"image": {"format": "png", "source": {"bytes": base64.b64encode(b"x").decode()}}}
    whole = parse_chat(
        request(
            {
                "messages": [{"role": "user", "content": [image]}],
                "system": [{"text": "Be brief."}],
                "inferenceConfig": {"maxTokens": 9, "temperature": 0},
            }
        ),
        SEARCH,
    ).call
    assert whole.max_tokens == 9
    assert whole.body["messages"][0]["content"][0]["image"]["source"] == {"bytes": b"x"}
    assert whole.body["inferenceConfig"] == {"temperature": 0}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not valid JSON"),
        (b"\xff", "the body is not valid JSON"),
        ("x", "the body is a string; allowed is an object"),
        ([], "messages is empty"),
        ({}, "messages is null"),
        ({"messages": HELLO, "modelId": "x"}, "unknown key 'modelId'"),
        ({"messages": HELLO, "guardrailConfig": {}}, "unknown key 'guardrailConfig'"),
    ],
)
def test_a_bad_body_is_named(body: object, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        parse_chat(request(body), SEARCH)
