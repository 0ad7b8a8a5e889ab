"""What a text of a fixed form must look like is said in words."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from factorylab.execution.batch import Batch
from factorylab.factory.config import FleetConfig, ProcessorConfig
from factorylab.scenarios.model import Fault, Scenario

WRONG = {
    "batch": (Batch, "name", "Two words", "must be lower-case letters, digits and '_', with a letter first"),
    "scenario": (Scenario, "name", "Two words", "must be lower-case letters, digits and '_', with a letter first"),
    "target": (Fault, "target", "x", "must be leader:P, follower:P, followers:P or owner:P of partition P"),
    "topic": (FleetConfig, "sensor_topic", "a topic", "must be 1 to 249 letters, digits, '.', '_' or '-'"),
    "worker": (FleetConfig, "worker", "fleet 1", "must be letters, digits, '.', '_' and '-'"),
    "newline": (FleetConfig, "worker", "fleet-1\n", "must be letters, digits, '.', '_' and '-'"),
    "fleet": (FleetConfig, "fleet", "first", "must be the fleet's index and the number of fleets, as in 0/2"),
    "schema": (ProcessorConfig, "db_schema", "Factory", "must be 1 to 63 lower-case letters, digits and '_'"),
}


@pytest.mark.parametrize(("model", "field", "text", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_form_is_refused_in_words(model: type[BaseModel], field: str, text: str, words: str) -> None:
    """The error states the rule in words and shows no regular expression."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate({field: text})
    (message,) = [error["msg"] for error in caught.value.errors() if error["loc"] == (field,)]
    assert message.startswith(words) and not set("^$[\\") & set(message)
