"""stream_at_least_once.py repaired: what it writes and the offsets that it has read are of one transaction, so that a
reader of committed records sees both or neither."""

import os

from quixstreams import Application

app = Application(
    broker_address=os.environ["KAFKA_BOOTSTRAP"],
    consumer_group=os.environ["KAFKA_GROUP"],
    auto_offset_reset="earliest",
    commit_interval=2.0,
    auto_create_topics=False,
    processing_guarantee="exactly-once",
    consumer_extra_config={"client.id": os.environ["KAFKA_CLIENT_ID"], "session.timeout.ms": 6000},
)
readings = app.dataframe(app.topic(os.environ["KAFKA_TOPIC"], value_deserializer="json"))
readings["checked"] = True
readings.to_topic(app.topic(os.environ["KAFKA_OUTPUT_TOPIC"], value_serializer="json"))
app.run()
