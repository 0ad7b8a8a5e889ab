"""The question who is in a consumer group of KIP-848, which kafka-python 3.0 does not have.

The .json files beside this one are Kafka's own descriptions of the messages (kafka-clients 4.3.1, common/message),
which kafka-python turns into classes; they are under the Apache licence 2.0, as their heads say.
"""

from __future__ import annotations

import sys
from typing import Any

from kafka.protocol.api_message import ApiMessage


def _message(name: str) -> Any:
    return type(ApiMessage)(name, (ApiMessage,), {}, load_json=sys.modules[__name__])


ConsumerGroupDescribeRequest = _message("ConsumerGroupDescribeRequest")
ConsumerGroupDescribeResponse = _message("ConsumerGroupDescribeResponse")
