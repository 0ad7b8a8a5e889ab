"""A stream of quixstreams that passes readings on to another topic. BUG: by default it processes at least once: what it
has written and not yet committed when it is killed is written again. Its twin: stream_exactly_once.py."""

import os

from quixstreams import Application

app = Application(
    broker_address=os.environ["KAFKA_BOOTSTRAP"],
    consumer_group=os.environ["KAFKA_GROUP"],
    auto_offset_reset="earliest",
    commit_interval=2.0,
    auto_create_topics=False,
    consumer_extra_config={"client.id": os.environ["KAFKA_CLIENT_ID"], "session.timeout.ms": 6000},
)
readings = app.dataframe(app.topic(os.environ["KAFKA_TOPIC"], value_deserializer="json"))
readings["checked"] = True
readings.to_topic(app.topic(os.environ["KAFKA_OUTPUT_TOPIC"], value_serializer="json"))
app.run()
