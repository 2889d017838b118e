"""What a caller may write as a model id, and what it means for routing and price."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tollgate.domain.tenants import App, InferenceProfile, Tenant

Routing = Literal["in_region", "geo", "global"]

# What of an id an error shows; a caller may have sent megabytes.
_SHOWN = 128
GEO_PREFIXES = ("us-gov", "apac", "us", "eu", "au", "jp", "ca", "in")
GLOBAL_PREFIX = "global"
# The first geography that fits is the one a region's profiles have by name; the others are wider.
_GEOGRAPHIES = (
    ("us-gov-", ("us-gov",)),
    ("us-", ("us",)),
    ("ca-", ("ca", "us")),
    ("eu-", ("eu",)),
    ("ap-southeast-2", ("au", "apac")),
    ("ap-southeast-4", ("au", "apac")),
    ("ap-northeast-1", ("jp", "apac")),
    ("ap-northeast-3", ("jp", "apac")),
    ("ap-south-", ("in", "apac")),
    ("ap-", ("apac",)),
)
_NO_ARNS: Mapping[str, str] = MappingProxyType({})

# What Bedrock takes at most, ARNs included.
MAX_MODEL_ID = 2048
_PREFIX = "|".join((*GEO_PREFIXES, GLOBAL_PREFIX))
# A routing prefix stands before a provider once.
_PREFIXED = rf"(?:{_PREFIX})\.[a-z][a-z0-9]*\.[a-z]"
_NAME = r"[a-z0-9][a-z0-9-]{0,62}"
_MODEL = rf"(?!{_PREFIXED})[a-z][a-z0-9]{{0,62}}\.{_NAME}(?:[.:]{_NAME}){{0,5}}"
_FOUNDATION_ID = re.compile(_MODEL)
_PROFILE_ID = re.compile(rf"(?P<prefix>{_PREFIX})\.(?P<id>{_MODEL})")
_PARTITION = r"aws(?:-[a-z]{1,5}){0,2}"
_REGION = r"[a-z]{2,4}(?:-[a-z]{2,12}){1,2}-[0-9]{1,2}"
_ARN = re.compile(
    rf"arn:{_PARTITION}:bedrock:{_REGION}:(?P<account>(?:[0-9]{{12}})?):"
    r"(?P<kind>foundation-model|inference-profile)/(?P<id>.+)"
)
# Models and profiles of an account, whose ids say nothing of the model behind them.
_TENANT_ARN = re.compile(
    rf"arn:{_PARTITION}:bedrock:{_REGION}:[0-9]{{12}}:"
    r"(?P<kind>application-inference-profile|provisioned-model|custom-model"
    r"|custom-model-deployment|imported-model)/[A-Za-z0-9._:/-]+"
)
_ALLOWED = (
    "a foundation model id (provider.model), a geo or global inference profile id "
    f"({', '.join(sorted(GEO_PREFIXES))} or {GLOBAL_PREFIX}, then '.provider.model'), "
    "the ARN of either, or an ARN that the tenant's model_arns map to one of them"
)


class UnsupportedModelId(ValueError):  # noqa: N818 - says what is wrong; every caller maps it to a 4xx
    """The model id has a form this gateway does not serve; the message names it and what is."""

    def __init__(self, given: str) -> None:
        """Build the message from the id as the caller wrote it."""
        super().__init__(f"unsupported model id {shown_id(given)!r}: use {_ALLOWED}")
        self.given = given


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One resolved model id.

    `requested` is what the caller wrote, `model_id` the base model the price book knows,
    `geo` the geography of a geo profile, `upstream_id` what Bedrock is called with.
    """

    requested: str
    model_id: str
    routing: Routing
    geo: str | None
    upstream_id: str

    @property
    def profile_id(self) -> str:
        """The id allow-lists are matched against: an ARN's resource id, routing prefix kept."""
        if self.routing == "global":
            return f"{GLOBAL_PREFIX}.{self.model_id}"
        return f"{self.geo}.{self.model_id}" if self.geo else self.model_id

    @property
    def inference_profile_arn(self) -> str | None:
        """The ARN of the inference profile that is called, None where it is called by id."""
        return profile_arn(self.upstream_id)


def resolve_model(requested: str, model_arns: Mapping[str, str] = _NO_ARNS) -> ModelRef:
    """Resolve a model id or ARN to its base model and routing.

    `model_arns` are the tenant's own profiles and models: ARN to the foundation model or
    system-defined profile it stands for, whose policy, price and routing it has.
    An ARN is passed upstream as written, so that Bedrock itself refuses one of another region
    or account rather than this gateway quietly serving the request somewhere else.
    Raises UnsupportedModelId for everything but foundation models, system-defined profiles and
    ARNs in `model_arns`.
    """
    if len(requested) > MAX_MODEL_ID:
        raise UnsupportedModelId(requested)
    target = model_arns.get(requested) if is_tenant_arn(requested) else None
    if target is not None:
        return replace(resolve_model(target), requested=requested, upstream_id=requested)
    resource, kind = _resource(requested)
    profile = _PROFILE_ID.fullmatch(resource)
    if profile is None:
        if kind == "inference-profile" or _FOUNDATION_ID.fullmatch(resource) is None:
            raise UnsupportedModelId(requested)
        return ModelRef(requested, resource, "in_region", None, requested)
    if kind == "foundation-model":
        raise UnsupportedModelId(requested)
    prefix, model_id = profile["prefix"], profile["id"]
    if prefix == GLOBAL_PREFIX:
        return ModelRef(requested, model_id, "global", None, requested)
    return ModelRef(requested, model_id, "geo", prefix, requested)


def profile_arn(upstream_id: str) -> str | None:
    """What Bedrock is called with, where that is the ARN of an inference profile."""
    kinds = (":inference-profile/", ":application-inference-profile/")
    return upstream_id if any(kind in upstream_id for kind in kinds) else None


def app_model_arns(tenant: Tenant, app: App) -> Mapping[str, str]:
    """The ARNs of the account's own that an app may name, and the model behind each.

    An app's own inference profiles are the app's alone: called by another app, its costs would
    count as this one's.
    """
    own = {profile.arn: profile.model for profile in app.inference_profiles.values()}
    return {**tenant.model_arns, **own}


def app_model(requested: str, tenant: Tenant, app: App) -> ModelRef:
    """What a request of the app for a model is served by: its own inference profile, if it has one.

    An ARN of another region or account stays as written. Raises as `resolve_model`.
    """
    ref = resolve_model(requested, app_model_arns(tenant, app))
    if is_tenant_arn(requested):
        return ref
    for own in app.inference_profiles.values():
        if own.model == ref.profile_id and _shares_home(requested, own.arn):
            return replace(ref, upstream_id=own.arn)
    return ref


def called_profile(ref: ModelRef, app: App) -> InferenceProfile | None:
    """The app's own inference profile that a model is called through."""
    own = app.inference_profiles.values()
    return next((profile for profile in own if profile.arn == ref.upstream_id), None)


def is_allowed(ref: ModelRef, tenant: Tenant) -> bool:
    """Whether the tenant's lists let a model be called."""
    return matches(tenant.models, ref.profile_id) and not is_denied(ref, tenant)


def is_denied(ref: ModelRef, tenant: Tenant) -> bool:
    """Whether one of the tenant's deny patterns denies a model."""
    return denies(tenant.denied_models, ref.profile_id)


def denies(patterns: Sequence[str], profile_id: str) -> bool:
    """Whether a deny pattern matches a model: under its base id, it is denied on every routing.

    Also on one that is not known yet, such as a new geography's: every end of the id that has the
    form of a base id counts as one.
    """
    return any(matches(patterns, name) for name in (profile_id, *base_ids(profile_id)))


def base_ids(profile_id: str) -> Iterator[str]:
    """The base ids that an id may stand for, whatever routing prefixes stand before them."""
    _, _, rest = profile_id.partition(".")
    while rest:
        if _FOUNDATION_ID.fullmatch(rest) is not None:
            yield rest
        _, _, rest = rest.partition(".")


def geographies(region: str) -> tuple[str, ...]:
    """The geographies whose profiles can be called in a region, its own first."""
    return next((names for start, names in _GEOGRAPHIES if region.startswith(start)), ())


def shown_id(model_id: str) -> str:
    """A model id, or what a caller sent in its place, at a length that fits an error."""
    return model_id if len(model_id) <= _SHOWN else f"{model_id[:_SHOWN]}…"


def is_tenant_arn(text: str) -> bool:
    """Whether `text` is an ARN that a tenant's model_arns may map.

    Such are application inference profiles and provisioned, custom and imported models; the
    ARNs of foundation models and system-defined profiles say themselves what they stand for.
    """
    return len(text) <= MAX_MODEL_ID and _TENANT_ARN.fullmatch(text) is not None


def matches(patterns: Iterable[str], profile_id: str) -> bool:
    """Say whether any allow-list pattern matches; only `*` is special and case counts."""
    return any(_glob(pattern, profile_id) for pattern in patterns)


def _shares_home(requested: str, profile_arn: str) -> bool:
    """Whether what was asked for is in the region and, where it has one, account of a profile."""
    if not requested.startswith("arn:"):
        return True
    region, account = requested.split(":")[3:5]
    home, owner = profile_arn.split(":")[3:5]
    return region == home and account in ("", owner)


def _resource(requested: str) -> tuple[str, str | None]:
    if not requested.startswith("arn:"):
        return requested, None
    arn = _ARN.fullmatch(requested)
    # Foundation models belong to no account; a profile always to one.
    if arn is None or bool(arn["account"]) != (arn["kind"] == "inference-profile"):
        raise UnsupportedModelId(requested)
    return arn["id"], arn["kind"]


def _glob(pattern: str, text: str) -> bool:
    # Pieces between stars are found left to right: linear, where a regex would backtrack.
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True
