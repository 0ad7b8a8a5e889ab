"""The versions of Kafka that a lab can run. Each has a lock of jars, `cluster/local/jars-VERSION.lock`."""

from typing import Literal, get_args

KafkaVersion = Literal["4.3.1", "4.4.0"]
KAFKA_VERSIONS: tuple[KafkaVersion, ...] = get_args(KafkaVersion)
DEFAULT_KAFKA: KafkaVersion = "4.3.1"
"""What a new lab runs where nobody asks for another; recorded runs that name none ran it."""
