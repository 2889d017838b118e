"""Every way to deploy makes what its reviewed inventory says, no more and no less.

After a wanted change: `python -m tests.stack.inventories`, then read the difference.
"""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from tests.stack import inventories, moto

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(moto.UNAVAILABLE is not None, reason=str(moto.UNAVAILABLE)),
    pytest.mark.xdist_group("moto-inventories"),
]


@pytest.mark.parametrize("shape", sorted(inventories.SHAPES))
def test_a_shape_makes_what_its_inventory_says(planner: inventories.Planner, shape: str) -> None:
    found = inventories.text(inventories.inventory(planner.plan(shape)))
    reviewed = (inventories.FOLDER / f"{shape}.json").read_text(encoding="utf-8")

    difference = "\n".join(
        difflib.unified_diff(
            reviewed.splitlines(), found.splitlines(), "reviewed", "planned", lineterm=""
        )
    )
    if difference:
        pytest.fail(
            f"{difference}\nIf this is wanted: python -m tests.stack.inventories {shape}",
            pytrace=False,
        )


def test_there_is_no_inventory_without_a_shape() -> None:
    assert {file.stem for file in inventories.FOLDER.iterdir()} == set(inventories.SHAPES)


def _plan(*resources: tuple[str, str, dict[str, Any]], action: str = "create") -> dict[str, Any]:
    return {
        "resource_changes": [
            {
                "address": address,
                "change": {
                    "actions": [action],
                    "after": {k: v for k, v in values.items() if v is not ...},
                    "after_unknown": {k: True for k, v in values.items() if v is ...},
                },
                "mode": "managed",
                "type": kind,
            }
            for kind, address, values in resources
        ]
    }


def test_an_inventory_counts_and_names_what_matters() -> None:
    role = {"name": "tollgate-dev-invoke", "path": "/", "permissions_boundary": ...}
    plan = _plan(
        ("aws_iam_role", "b", {**role, "tags_all": {"Project": "tollgate", "Tenant": "acme"}}),
        ("aws_iam_role", "a", {**role, "path": "/x/", "tags_all": {"Project": "tollgate"}}),
        ("aws_iam_role_policy", "c", {"policy": "{}"}),
    )

    assert inventories.inventory(plan) == {
        "attributes": {
            "a": {**role, "path": "/x/", "permissions_boundary": "(known after apply)"},
            "b": {**role, "permissions_boundary": "(known after apply)"},
        },
        "counts": {"aws_iam_role": 2, "aws_iam_role_policy": 1},
        "tags_of_everything": {"Project": "tollgate"},
    }


def test_a_plan_that_changes_something_has_no_inventory() -> None:
    with pytest.raises(ValueError, match="only creates; got a"):
        inventories.inventory(_plan(("aws_iam_role", "a", {}), action="update"))
