"""Requests through an inference profile.

The caller names one of its app's own profiles by the header `inference-profile-id`, or by `tags`
that only one of them has. The body is the list of Converse messages, or an object with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.dialects.bedrock.request import chat_call
from tollgate.dialects.exchange import ParsedCall
from tollgate.dialects.fields import as_filled_list, as_object, as_text, check_keys
from tollgate.domain.errors import ConflictError, ForbiddenError, InvalidRequestError
from tollgate.entry.http import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tollgate.domain.tenants import InferenceProfile
    from tollgate.entry.http import Request
    from tollgate.services.policy import Party

CHAT = "profiles.chat"
PROFILE_HEADER = "inference-profile-id"
TAGS_HEADER = "tags"
# The headers that decide about the answer. The seed system's clients also send `region` and
# `s3_bucket_name`; what those chose is the deployment's business here.
HEADERS: Sequence[str] = (PROFILE_HEADER, TAGS_HEADER)

_BODY_KEYS = (
    "additionalModelRequestFields",
    "inferenceConfig",
    "messages",
    "system",
    "toolConfig",
)


def choose(request: Request, party: Party) -> InferenceProfile:
    """The app's own profile that the headers name.

    Raises ForbiddenError where none of them is meant and ConflictError where several are: a guess
    would book one customer's call on another's.
    """
    named, tags = request.headers.get(PROFILE_HEADER), request.headers.get(TAGS_HEADER)
    if (named is None) == (tags is None):
        raise InvalidRequestError(
            f"send one of the headers {PROFILE_HEADER} and {TAGS_HEADER}, which choose one of the "
            f"app's own inference profiles: {_names(party.app.inference_profiles)}"
        )
    own = party.app.inference_profiles.values()
    if named is not None:
        meant = [profile for profile in own if named in _ids(profile)]
    else:
        wanted = _tags(tags or "")
        meant = [profile for profile in own if wanted.items() <= _tags_of(profile, party).items()]
    if len(meant) > 1:
        raise ConflictError(
            f"{len(meant)} of the app's inference profiles have these tags: "
            f"{_names(profile.name for profile in meant)}; send more tags, or {PROFILE_HEADER}",
            code="profile_ambiguous",
            details={"profiles": sorted(profile.name for profile in meant)},
        )
    if not meant:
        raise ForbiddenError(
            "the app has no such inference profile; "
            f"allowed are {_names(party.app.inference_profiles)}",
            code="profile_not_allowed",
        )
    return meant[0]


def parse_chat(request: Request, profile: InferenceProfile) -> ParsedCall:
    """The chat of a request. Raises InvalidRequestError naming what is wrong."""
    value = parse_json(request.body)
    body = {"messages": value} if isinstance(value, list) else as_object(value, "the body")
    check_keys(body, _BODY_KEYS, "the body")
    return ParsedCall(chat_call(profile.arn, body, CHAT))


def _ids(profile: InferenceProfile) -> Sequence[str]:
    """What a profile may be called: its name in the tenant's file, its ARN or the id in that."""
    return (profile.name, profile.arn, profile.arn.rpartition("/")[2])


def _tags_of(profile: InferenceProfile, party: Party) -> dict[str, str]:
    """The tags that the profile has at AWS, which the gateway's own are part of."""
    own = {
        "tenant": party.tenant.tenant_id,
        "app": party.app.app_id,
        "cost_center": party.tenant.cost_center,
    }
    return {**profile.tags, **own}


def _tags(text: str) -> dict[str, str]:
    """The tags of the header: a JSON list of objects with key and value, or one object."""
    try:
        value = parse_json(text, f"the header {TAGS_HEADER}")
    except InvalidRequestError as error:
        raise InvalidRequestError(
            f'{error.message}; allowed is a list like [{{"key": "app", "value": "web"}}]'
        ) from error
    tags = value if isinstance(value, dict) else {}
    for index, entry in enumerate(as_filled_list(value, TAGS_HEADER) if not tags else ()):
        place = f"{TAGS_HEADER}[{index}]"
        tag = as_object(entry, place)
        check_keys(tag, ("key", "value"), place)
        tags[as_text(tag.get("key"), f"{place}.key")] = tag.get("value")
    return {name: as_text(given, f"the tag {name[:64]!r}") for name, given in tags.items()}


def _names(names: Mapping[str, object] | Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none, as it has none"
