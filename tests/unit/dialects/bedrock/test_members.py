"""The known members of a Converse request, against Bedrock's own service model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from tests.fakes.exchanges import request
from tollgate.dialects.bedrock.members import ANYTHING, CONVERSE
from tollgate.dialects.bedrock.request import parse_chat, parse_count
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

# What Bedrock reads and the gateway does not let through, by the end of its path.
NOT_LET_THROUGH = (
    # In the path, not in the body.
    "modelId",
    # Stored prompts, which say themselves what is called.
    "promptVariables",
    # Read with the gateway's own rights.
    "source.s3Location",
    # Tools that run at the provider.
    "toolUse.type",
    "toolResult.type",
    # Tools that come and go within a conversation, some of them at the provider.
    "content.toolAddition",
    "content.toolRemoval",
)


def paths(shape: Shape, known: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Every member of a shape, and whether the gateway knows it."""
    if known == ANYTHING:
        return
    if shape.type_name == "list":
        yield from paths(shape.member, known, path)  # type: ignore[attr-defined]
        return
    if shape.type_name != "structure" or shape.is_document_type:  # type: ignore[attr-defined]
        assert known is None, path
        return
    members = shape.members  # type: ignore[attr-defined]
    assert known.keys() <= members.keys(), path
    for name, member in members.items():
        here = f"{path}.{name}"
        yield here, name in known
        if name in known:
            yield from paths(member, known[name], here)


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_every_member_of_the_service_model_is_known_or_left_out_on_purpose(operation: str) -> None:
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = model.operation_model(operation).input_shape
    assert shape is not None

    found = dict(paths(shape, CONVERSE, ""))
    unknown = {path for path, is_known in found.items() if not is_known}
    assert len(found) > 150
    assert {path for path in unknown if not path.endswith(NOT_LET_THROUGH)} == set()
    for end in NOT_LET_THROUGH:
        assert any(path.endswith(end) for path in unknown), end


TURN = {"role": "user", "content": [{"text": "Hi"}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": [{**TURN, "name": "x"}]}, "messages[0] has the unknown key 'name'; allowed"),
        (
            {"messages": [{"role": "user", "content": [{"toolAddition": {"tool": {}}}]}]},
            "messages[0].content[0] has the unknown key 'toolAddition'; allowed are audio,",
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": [{"toolUse": {"name": "a", "type": "server_tool_use"}}],
                    }
                ]
            },
            "messages[0].content[0].toolUse has the unknown key 'type'; allowed are input, name",
        ),
        (
            {"messages": [TURN], "inferenceConfig": {"maxtokens": 5}},
            "inferenceConfig has the unknown key 'maxtokens'; allowed are maxTokens",
        ),
        (
            {"messages": [TURN], "toolConfig": {"toolChoice": {"any": {"n": 1}}}},
            "toolConfig.toolChoice.any has the unknown key 'n'; allowed are none",
        ),
        (
            {"messages": [TURN], "system": [{"text": {"a": 1}}]},
            "system[0].text is an object; allowed is no object",
        ),
        ({"messages": [TURN], "promptVariables": {}}, "unknown key 'promptVariables'"),
    ],
)
def test_what_is_not_known_is_refused_by_name(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_chat(request(body, path={"modelId": "m"}))
    assert message in refused.value.message


def test_a_count_knows_the_same_members() -> None:
    given = {"converse": {"messages": [{**TURN, "name": "x"}]}}

    with pytest.raises(InvalidRequestError) as refused:
        parse_count(request({"input": given}, path={"modelId": "m"}))
    assert "input.converse.messages[0] has the unknown key 'name'" in refused.value.message
