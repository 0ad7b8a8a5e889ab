"""Two questions about share groups that kafka-python 3.0 does not have: who is in one, and how far it is.

The .json files beside this one are Kafka's own descriptions of the messages (kafka-clients 4.3.1, common/message),
which kafka-python turns into classes; they are under the Apache licence 2.0, as their heads say.
"""

from __future__ import annotations

import sys
from typing import Any

from kafka.protocol.api_message import ApiMessage


def _message(name: str) -> Any:
    return type(ApiMessage)(name, (ApiMessage,), {}, load_json=sys.modules[__name__])


ShareGroupDescribeRequest = _message("ShareGroupDescribeRequest")
ShareGroupDescribeResponse = _message("ShareGroupDescribeResponse")
DescribeShareGroupOffsetsRequest = _message("DescribeShareGroupOffsetsRequest")
DescribeShareGroupOffsetsResponse = _message("DescribeShareGroupOffsetsResponse")
