"""The stack that the tests of this folder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes import inference_profiles
from tests.stack import inventories, moto

if TYPE_CHECKING:
    from collections.abc import Iterator

# Sessions are switched on, because a plan can show the roles without them, but not the other way
# round: of a role that does not exist yet, a plan does not know the ARN.
OPTIONS = (
    "-var=pool_sessions=true",
    '-var=operator_roles={operator_principals=["arn:aws:iam::123456789012:role/platform"],'
    'tenant_admin_principals=["arn:aws:iam::123456789012:role/teams"]}',
)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moto.Stack]:
    """The root module with envs/dev, applied; moto runs for as long as the session."""
    folder = tmp_path_factory.mktemp("stack")
    moto.copy_code(folder)
    with (
        moto.serve(tmp_path_factory.mktemp("moto") / "moto.log") as endpoint,
        inference_profiles.serve(moto.ACCOUNT_ID, moto.REGION) as bedrock,
    ):
        applied = moto.Stack(folder, endpoint, options=OPTIONS, endpoints={"bedrock": bedrock})
        applied.set_up()
        yield applied


@pytest.fixture(scope="session")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[inventories.Planner]:
    """Plans shapes; nothing of them is applied."""
    folder = tmp_path_factory.mktemp("inventories")
    moto.copy_code(folder / "code")
    with moto.serve(folder / "moto.log") as endpoint:
        yield inventories.Planner(folder / "code", endpoint)
