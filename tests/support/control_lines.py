"""Lines of brokers' logs, and of clients', as Kafka 4.3.1 and librdkafka wrote them in real runs, with the numbers
that a test needs, at a second of a handmade history."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.support.histories import START, S

TOPIC, GROUP = "sensor-data-64c434", "sensor-processors-6dfe0c"
_CONTROL = "[quorum-controller-2-event-handler] org.apache.kafka.controller."
OF_GROUP = (
    "[group-coordinator-event-processor-0] org.apache.kafka.coordinator.group.GroupMetadataManager - "
    "[GroupCoordinator id=3 topic=__consumer_offsets partition=0] "
)


def at(second: float, text: str) -> str:
    """A line that is stamped at a second since the steady state of a handmade history."""
    stamp = datetime.fromtimestamp(START / S + second, UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{round(stamp.microsecond / 1000):03}Z INFO  {text}"


def client(second: float, kind: str, side: str, broker: int) -> str:
    """A line of a worker's log in which librdkafka tells of a broker; `kind` is FAIL or REQTMOUT."""
    text = f"{kind} [fleet-0#{side}-1] [thrd:127.0.1.3:26071/{broker}]: 127.0.1.3:26071/{broker}: told"
    stamp = datetime.fromtimestamp(START / S + second, UTC).isoformat()
    return json.dumps({"event": "kafka_client", "text": text, "timestamp": stamp})


def active(second: float, broker: int) -> str:
    text = f"[QuorumController id={broker}] Becoming the active controller at epoch 3, next write offset 208."
    return at(second, f"{_CONTROL}QuorumController - {text}")


def fenced(second: float, broker: int) -> str:
    text = f"[QuorumController id=2] Fencing broker {broker} at epoch 10 because its session has timed out."
    return at(second, f"{_CONTROL}ReplicationControlManager - {text}")


def leaving(second: float, broker: int) -> str:
    text = f"[QuorumController id=3] Unfenced broker {broker} has requested and been granted a controlled shutdown."
    return at(second, f"{_CONTROL}BrokerHeartbeatManager - {text}")


def registered(second: float, broker: int) -> str:
    return at(
        second,
        f"{_CONTROL}ClusterControlManager - [QuorumController id=2] Registering a new incarnation of broker {broker}. "
        "Previous incarnation ID was 8EVYQ6W4T4OFs0c2M9gEnw; new incarnation ID is AVZrxMB2S0WFG-GbzlLbuw. Generated "
        "11 record(s) to clean up previous incarnations. Broker epoch will become 114.",
    )


def unfenced(second: float, broker: int) -> str:
    return at(
        second,
        f"{_CONTROL}BrokerHeartbeatManager - [QuorumController id=2] The request from broker {broker} to unfence has "
        "been granted because it has caught up with the offset of its register broker record 231.",
    )


def leads(second: float, broker: int, partition: int, epoch: int, isr: str) -> str:
    return at(
        second,
        f"[kafka-{broker}-metadata-loader-event-handler] state.change.logger - [Broker id={broker}] Leader "
        f"{TOPIC}-{partition} with topic id Some(N0K3q2y-SKSY9-Ijsa0oNA) starts at leader epoch {epoch} from offset "
        f"7961 with partition epoch 1, high watermark 7951, ISR [{isr}], adding replicas [] and removing replicas [] . "
        "Previous leader Some(3) and previous leader epoch was 0.",
    )


def goes_on(second: float, broker: int, partition: int, epoch: int, isr: str) -> str:
    return at(
        second,
        f"[kafka-{broker}-metadata-loader-event-handler] state.change.logger - [Broker id={broker}] Skipped the "
        f"become-leader state change for {TOPIC}-{partition} with topic id Some(APqe2OPSTvikpgw-qwrl-g), partition "
        "registration PartitionRegistration(replicas=[1, 2, 3], directories=[EnLFNeIltlErVLTNVfyBDA, "
        f"esrn08y0rIEUuf40Zbk7wA, _J5AGfEHJuvWD7_ftTh3kg], isr=[{isr}], removingReplicas=[], addingReplicas=[], elr=[],"
        f" lastKnownElr=[], leader={broker}, leaderRecoveryState=RECOVERED, leaderEpoch={epoch}, partitionEpoch=1) and "
        f"isNew=false since it is already the leader with leader epoch {epoch}. Current high watermark 4, ISR [{isr}], "
        "adding replicas [] and removing replicas [].",
    )


def removed(second: float, member: str) -> str:
    who = f"{member}-a62ac8a6-fa40-4dc7-9f1d-3b9b795777df"
    return at(second, f"{OF_GROUP}Member {who} in group {GROUP} has failed, removing it from the group.")


def removed_by_session(second: float) -> str:
    """With the protocol `consumer`: a member without a name."""
    text = f"[GroupId {GROUP}] Member dEsuJLQpShKDjHfPiJ+aew fenced from the group because the member session expired."
    return at(second, f"{OF_GROUP}{text}")
