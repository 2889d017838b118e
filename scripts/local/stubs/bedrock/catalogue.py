"""The models and inference profiles that the Bedrock stub offers, read from the price book."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scripts.local.ministack import ACCOUNT_ID, REGION, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PRICE_BOOK = ROOT / "functions" / "shared" / "tollgate" / "prices" / "bedrock.json"
_OUTPUT_MODALITIES = {"chat": "TEXT", "embedding": "EMBEDDING", "image_generation": "IMAGE"}
SERVED_MODES = frozenset(_OUTPUT_MODALITIES)
DEFAULT_TIERS = frozenset({"default"})
# Some of the regions that a real profile routes to.
GEO_REGIONS = {
    "us": ("us-east-1", "us-east-2", "us-west-2"),
    "us-gov": ("us-gov-west-1", "us-gov-east-1"),
    "eu": ("eu-central-1", "eu-west-1", "eu-west-3"),
    "apac": ("ap-northeast-1", "ap-south-1", "ap-southeast-2"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "in": ("ap-south-1", "ap-south-2"),
    "ca": ("ca-central-1", "ca-west-1"),
}


_NO_PROFILES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Model:
    """One base model: its limits in tokens (None when unknown) and how it can be called.

    `tiers` maps a routing (`in_region`, `geo/us`, `global`) to the service tiers it has.
    `caches_an_hour` says that what it caches can be kept so long.
    """

    model_id: str
    mode: str
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    end_of_life: str | None = None
    tiers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    caches_an_hour: bool = False


@dataclass(frozen=True)
class Target:
    """A model as a `modelId` names it: the base model and the routing."""

    model: Model
    routing: str

    @property
    def counts_cached_input(self) -> bool:
        """Whether its streams tell the input with what of it came from the cache.

        As OpenAI's own API does; the answers of Converse at once do not.
        """
        return self.model.model_id.startswith("openai.")


class Catalogue:
    """All models of one region, and the geographic and global profiles of every region.

    A real region offers the profiles of its own geography only; the stub offers them all, so that
    every tenant file can be tried without moving. `application_profiles` are the account's own:
    ARN to the foundation model or system profile behind it.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        region: str = REGION,
        application_profiles: Mapping[str, str] = _NO_PROFILES,
    ) -> None:
        self._models = dict(models)
        self._region = region
        self._application_profiles = dict(application_profiles)
        self._targets: dict[str, Target] = {}
        for model in self._models.values():
            for routing in model.tiers:
                self._targets[profile_id(model.model_id, routing)] = Target(model, routing)

    @classmethod
    def from_price_book(
        cls,
        path: Path = PRICE_BOOK,
        region: str = REGION,
        application_profiles: Mapping[str, str] = _NO_PROFILES,
        beside: Iterable[Model] = (),
    ) -> Catalogue:
        """Read the catalogue from a price book file; `beside` are models that it does not have."""
        book: dict[str, Any] = json.loads(path.read_text("utf-8"))
        models = {
            model_id: Model(
                model_id,
                entry["mode"],
                entry["max_input_tokens"],
                entry["max_output_tokens"],
                entry["end_of_life"],
                _tiers(entry, region),
                "cache_write_1h" in json.dumps(entry["effective"]),
            )
            for model_id, entry in book["models"].items()
            if entry["mode"] in SERVED_MODES
        }
        models |= {model.model_id: model for model in beside}
        return cls(models, region, application_profiles)

    def has_model(self, model_id: str) -> bool:
        """Return whether this is a base model, callable without a profile or not."""
        return model_id in self._models

    def find(self, model_id: str, *, on_demand: bool = True) -> Target | None:
        """Resolve a model id, profile id or ARN; None when there is no such thing.

        A base model that only profiles can call is found where it need not be `on_demand`.
        """
        model_id = self._application_profiles.get(model_id, model_id)
        if model_id.startswith("arn:"):
            kind, _, model_id = model_id.split(":", 5)[-1].partition("/")
            if kind not in {"foundation-model", "inference-profile"}:
                return None
        if not on_demand and model_id in self._models:
            return Target(self._models[model_id], "in_region")
        return self._targets.get(model_id)

    def targets(self) -> list[tuple[str, Target]]:
        """Every id that can be called, sorted, and what it names."""
        return sorted(self._targets.items(), key=lambda named: named[0])

    def foundation_models(self, query: Mapping[str, str]) -> list[dict[str, object]]:
        """Return `modelSummaries`, filtered as the query of ListFoundationModels says."""
        summaries = [self._summary(model) for model in self._models.values()]
        if provider := query.get("byProvider"):
            summaries = [
                entry
                for entry in summaries
                if str(entry["providerName"]).lower() == provider.lower()
            ]
        for parameter, member in (
            ("byOutputModality", "outputModalities"),
            ("byInferenceType", "inferenceTypesSupported"),
            ("byCustomizationType", "customizationsSupported"),
        ):
            if wanted := query.get(parameter):
                summaries = [entry for entry in summaries if wanted in list_of(entry[member])]
        return summaries

    def inference_profiles(self) -> list[dict[str, object]]:
        """Return `inferenceProfileSummaries` of the system-defined profiles."""
        return [
            self._profile(identifier, target)
            for identifier, target in self.targets()
            if target.routing != "in_region"
        ]

    def _summary(self, model: Model) -> dict[str, object]:
        provider, _, name = model.model_id.partition(".")
        kinds = {
            "ON_DEMAND" if routing == "in_region" else "INFERENCE_PROFILE"
            for routing in model.tiers
        }
        lifecycle: dict[str, object] = {"status": "ACTIVE"}
        if model.end_of_life is not None:
            lifecycle = {"status": "LEGACY", "endOfLifeTime": f"{model.end_of_life}T00:00:00Z"}
        return {
            "modelArn": f"arn:aws:bedrock:{self._region}::foundation-model/{model.model_id}",
            "modelId": model.model_id,
            "modelName": title(name),
            "providerName": title(provider),
            "inputModalities": ["TEXT"],
            "outputModalities": [_OUTPUT_MODALITIES[model.mode]],
            "responseStreamingSupported": model.mode == "chat",
            "customizationsSupported": [],
            "inferenceTypesSupported": sorted(kinds),
            "modelLifecycle": lifecycle,
        }

    def _profile(self, identifier: str, target: Target) -> dict[str, object]:
        model_id = target.model.model_id
        geography = target.routing.removeprefix("geo/")
        regions = GEO_REGIONS.get(geography, (self._region,))
        arns = [f"arn:aws:bedrock:{region}::foundation-model/{model_id}" for region in regions]
        if target.routing == "global":
            arns.append(f"arn:aws:bedrock:::foundation-model/{model_id}")
        name = f"{geography.upper()} {title(model_id.partition('.')[2])}"
        return {
            "inferenceProfileName": name[:64],
            "description": f"Routes requests to {title(model_id)} in {geography}",
            "createdAt": "2025-01-01T00:00:00Z",
            "updatedAt": "2025-01-01T00:00:00Z",
            "inferenceProfileArn": (
                f"arn:aws:bedrock:{self._region}:{ACCOUNT_ID}:inference-profile/{identifier}"
            ),
            "models": [{"modelArn": arn} for arn in arns],
            "inferenceProfileId": identifier,
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
        }


def profile_id(model_id: str, routing: str) -> str:
    """Return the id that calls the model by this routing."""
    if routing == "in_region":
        return model_id
    return f"{routing.removeprefix('geo/')}.{model_id}"


def title(identifier: str) -> str:
    """Return a display name made from an id, for example `Nova Lite V1`."""
    words = identifier.split(":", maxsplit=1)[0].replace(".", " ").replace("-", " ").split()
    return " ".join(word.capitalize() for word in words)


def list_of(value: object) -> list[object]:
    """Return the value when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def _tiers(entry: Mapping[str, Any], region: str) -> dict[str, frozenset[str]]:
    """Collect the routings and service tiers of all price periods."""
    found: dict[str, frozenset[str]] = {}
    for period in entry["effective"]:
        for key, by_tier in period["rates"].items():
            routing, _, place = key.partition("/")
            if routing == "in_region" and place not in {"", region}:
                continue
            name = "in_region" if routing == "in_region" else key
            found[name] = found.get(name, DEFAULT_TIERS) | frozenset(by_tier) - {"batch"}
    return found
