"""Predictions whose answer is known: from the timers alone, and from what was measured on real clusters."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from factorylab.core.errors import ScenarioError, UsageError
from factorylab.factory import profiles
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.processor import offset_commits
from factorylab.factory.store import connection
from factorylab.scenarios.catalog import SCENARIOS
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.prediction import brokers, clients, controllers, groups, majority, outages, stores
from factorylab.scenarios.prediction.draws import COVERAGE, Draws, interval, u
from factorylab.scenarios.prediction.settings import DEFAULTS, EffectiveSettings, set_by
from factorylab.scenarios.prediction.situation import Situation
from factorylab.scenarios.prediction.structures import Prediction
from tests.support.predictions import CONSUMER, PRODUCER, case, named, of, row, span, with_faults

SIDES: tuple[Literal["producer", "consumer"], ...] = ("producer", "consumer")
ACKS, STORES = "longest_ack_gap", "longest_store_gap"
SLACK_S = 0.05
CLIENTS: dict[str, dict[str, Any]] = {"producer": PRODUCER, "consumer": CONSUMER}


def test_the_interval_of_a_uniform_time_is_its_middle_95_percent() -> None:
    """2.5 % of the draws lie below, 2.5 % above."""
    low, high = interval(Draws().between(0, 10))
    assert low == pytest.approx(0.25, abs=0.1) and high == pytest.approx(9.75, abs=0.1)


def test_a_fencing_is_the_sum_of_two_uniform_waits_and_not_of_their_extremes() -> None:
    """9 − U(0, 2) + U(0, 1.125): its quantiles are known, and narrower than 7.0 … 10.1. The check itself takes up to
    0.15 s more, half of that in the middle."""
    tail = sqrt((1 - COVERAGE) * 2 * 9 / 8)  # of this trapezoid below its 2.5 % quantile
    low_by, high_by = 7 + tail + 0.075, 9 + 9 / 8 - tail + 0.075
    low, high = span(case(of(named("broker_loss"))), "fencing", "any")
    assert low == pytest.approx(low_by, abs=SLACK_S) and high == pytest.approx(high_by, abs=SLACK_S)


def test_a_step_of_a_rolling_restart_is_predicted_as_an_orderly_end() -> None:
    """What waits until every replica is in sync meets nothing of the broker before; without the wait nobody knows."""
    steps = [{"kind": "bounce", "target": f"broker:{n}", "at_s": 8 * n, "hold_s": 8} for n in (1, 2, 3)]
    alone = with_faults({"kind": "terminate", "target": "broker:1"})
    told = of(with_faults(*(step | {"in_sync_first": True} for step in steps)))
    assert all(fault.cases == of(alone).faults[0].cases != [] for fault in told.faults)
    assert all("another fault begins" in fault.why_not for fault in of(with_faults(*steps)).faults)


def test_the_same_settings_give_the_same_prediction() -> None:
    """Whoever computes it again, gets what was kept before the run, byte for byte."""
    assert of(named("broker_loss")).encoded() == of(named("broker_loss")).encoded()


def test_the_loss_of_the_active_controller_costs_an_election_and_a_full_session() -> None:
    """About 11 s, not 9: the new controller grants the dead broker a session of its own."""
    told = of(named("broker_loss"))
    usual, worse = (span(case(told, controller), ACKS, "followed") for controller in (False, True))
    assert usual[0] < 8.6 < usual[1] and worse[0] < 11.0 < worse[1] and worse[0] > usual[1]
    assert span(case(told, True), "fencing", "any")[0] >= 9


def test_whoever_targets_the_controller_gets_that_case_alone() -> None:
    """The role is known then."""
    (fault,) = of(named("broker_loss", target="controller")).faults
    assert [one.controller for one in fault.cases] == [True]


def test_all_followers_of_a_partition_with_two_replicas_are_one_broker() -> None:
    """It may be the active controller; two of three nodes cannot go without it."""
    wanted = {"kind": "kill", "target": "followers:0"}
    one, two = (of(with_faults(wanted, topology={"profile": name})).faults[0] for name in ("factory", "safe"))
    assert [found.controller for found in one.cases] == [False, True] and one.cases[0].quantities[0].high_s
    assert [found.controller for found in two.cases] == [None]


@pytest.mark.parametrize(
    ("target", "cases"),
    [
        ("leader:0", [(False, False), (False, True), (True, False), (True, True)]),
        ("leader:0-controller", [(False, False), (False, True)]),
        ("leader:0+controller-coordinator", [(True, False)]),
        ("follower:0-leader-controller+coordinator", [(False, True)]),
    ],
)
def test_roles_that_a_target_asks_for_are_the_only_case(target: str, cases: list[tuple[bool, bool]]) -> None:
    """What the broker must be, and must not be. One that must lead nothing has no row of led partitions, and the
    recovery of one that leads is not that of what it follows."""
    (fault,) = of(with_faults({"kind": "partition", "target": target})).faults
    assert [(found.controller, found.coordinator) for found in fault.cases] == cases
    roles = {told.role for found in fault.cases for told in found.quantities}
    assert ("led" in roles) != ("-leader" in target) and "followed" in roles
    recovers = {told.role for found in fault.cases for told in found.quantities if told.name == "recovery"}
    assert recovers == ({"followed"} if "-leader" in target else {"led"})


def test_a_follower_may_lead_others() -> None:
    """Then its recovery depends on those, and else on what it follows: a row for each."""
    told = case(of(with_faults({"kind": "kill", "target": "follower:0"})))
    assert [one.role for one in told.quantities if one.name == "recovery"] == ["led", "followed"]


def test_a_restart_inside_the_session_helps_only_what_the_broker_followed() -> None:
    """With a session of 40 s: led partitions wait for its end, followed ones until the broker copies again."""
    told = case(of(named("broker_loss", hold_s=1), broker={"broker.session.timeout.ms": 40_000}))
    led, followed = span(told, ACKS, "led"), span(told, ACKS, "followed")
    assert led[0] > 37 and followed[0] >= 3.5 and followed[1] <= 14


def test_what_restarts_at_once_is_back_at_once_however_long_the_run_watches() -> None:
    """hold_s of a restart is none of its outage."""
    session = {"broker.session.timeout.ms": 40_000}
    short, long = (case(of(named("broker_loss", kind="restart", hold_s=s), broker=session)) for s in (1, 30))
    assert span(short, ACKS, "followed") == span(long, ACKS, "followed")


def test_an_acks_1_producer_does_not_notice_a_dead_follower_and_every_consumer_does() -> None:
    """What is delivered cannot be read until the ISR has shrunk."""
    told = case(of(named("broker_loss", target="follower:0", acks="1")))
    assert span(told, ACKS, "followed")[1] <= 0.5 and span(told, STORES, "followed")[0] > 7


def test_a_dead_follower_stalls_acks_all_producers_as_long_as_a_dead_leader() -> None:
    """The high watermark waits for it while it counts as in sync."""
    told = case(of(named("broker_loss", target="follower:0")))
    assert span(told, ACKS, "followed")[0] == pytest.approx(span(told, ACKS, "led")[0], abs=0.3)


def test_what_is_confirmed_below_min_isr_cannot_be_read() -> None:
    """Two of three nodes dead: acks=1 goes on, and its records wait for the nodes."""
    told = case(of(named("broker_loss", target="followers:0", profile="safe", acks="1")))
    assert span(told, ACKS, "followed")[1] <= 0.5 and row(told, STORES, "followed").low_s == 14
    assert "not readable" in row(told, ACKS, "followed").formula


SELDOM = {"topic.metadata.refresh.interval.ms": 300_000}


@pytest.mark.parametrize(("socket_s", "low", "high"), [(60, 60, 72), (10, 10, 12)])
def test_a_frozen_leader_is_left_when_the_request_times_out(socket_s: int, low: float, high: float) -> None:
    """With librdkafka's own refresh socket.timeout.ms governs, long after the leader has moved."""
    wanted = named("broker_loss", kind="pause", hold_s=100)
    found = span(case(of(wanted, producer={"socket.timeout.ms": socket_s * 1000, **SELDOM})), ACKS, "led")
    assert low <= found[0] and found[1] <= high


def test_a_frozen_leader_is_left_at_once_where_a_metadata_request_waits_elsewhere() -> None:
    """With a refresh of 2 s one always does, so that the stall ends with the session, whatever the time-out: measured
    8.0 s with the lab's profile."""
    producer = {"topic.metadata.refresh.interval.ms": 2_000, "socket.timeout.ms": 60_000}
    found = span(case(of(named("broker_loss", kind="pause", hold_s=100), producer=producer)), ACKS, "led")
    assert found[0] < 8.1 and found[1] < 12.5


def test_with_acks_1_no_metadata_request_waits_at_another_broker() -> None:
    """Requests there are answered at once, so that a producer hears of the new leader by a later one."""
    told = [case(of(named("broker_loss", kind="pause", hold_s=100, acks=acks))) for acks in ("all", "1")]
    waits, asks_later = (span(one, "client_discovery", "led") for one in told)
    assert waits[0] < 0.1 and asks_later[0] > 0.2 and asks_later[1] > waits[1]
    assert span(told[0], ACKS, "led")[0] < span(told[1], ACKS, "led")[0]


def test_a_time_out_before_the_election_does_not_help() -> None:
    """The next try waits for the frozen broker's versions for 10 s more. Measured 17.9 s, by a regular request."""
    wanted = named("broker_loss", kind="pause", target="controller", hold_s=100)
    found = span(case(of(wanted, producer=SELDOM), controller=True), ACKS, "led")
    assert found[0] > 11 and 20 <= found[1] <= 21.5


def test_a_pause_shorter_than_the_session_costs_the_pause() -> None:
    """Nobody is fenced, nobody elected."""
    told = case(of(named("broker_loss", kind="pause", hold_s=4)))
    assert span(told, ACKS, "led")[0] >= 4 and span(told, ACKS, "led")[1] < 5
    assert "fencing" not in {one.name for one in told.quantities}


def test_an_isolated_leader_of_the_only_partition_keeps_its_producer_until_the_heal() -> None:
    """The refresh asks the isolated leader itself, so that its interval changes nothing."""
    cut = {"kind": "partition", "target": "leader:0", "hold_s": 40}
    found = {
        refresh_s: span(
            case(of(with_faults(cut, topology={"partitions": 1, "profile": "safe"}, clients={"acks": "1"}),
                    producer={"topic.metadata.refresh.interval.ms": refresh_s * 1000})), "lost_until", "led")
        for refresh_s in (2, 10, 300)
    }  # fmt: skip
    assert len(set(found.values())) == 1 and found[2][0] >= 40


def test_an_isolated_leader_loses_its_producer_soon_where_others_lead_too() -> None:
    """A refresh of 2 s reaches a broker that knows the new leader: 10–12 s after the cut."""
    told = case(of(named("network_partition", acks="1"), producer={"topic.metadata.refresh.interval.ms": 2_000}))
    low, high = span(told, "lost_until", "led")
    assert low < 10 < high < 12.5 and span(told, ACKS, "led")[1] <= 0.5


@pytest.mark.parametrize(("refresh_s", "low", "high"), [(2, 9, 12), (300, 20, 30)])
def test_an_acks_all_producer_leaves_an_isolated_leader_when_it_hears_of_another(
    refresh_s: int, low: float, high: float
) -> None:
    """Measured with librdkafka's other defaults, cut for 20 s: 8.1–9.4 s with a refresh of 2 s, 21–27 s with 300 s."""
    producer = {"topic.metadata.refresh.interval.ms": refresh_s * 1000, "socket.timeout.ms": 60_000}
    found = span(case(of(named("network_partition"), producer=producer)), ACKS, "led")
    assert low <= found[1] <= high


def test_a_group_whose_coordinator_is_cut_off_is_not_predicted() -> None:
    """Its sessions may end; acknowledgements do not depend on it. Measured: stores came back after 38 s."""
    told = case(of(named("network_partition")), coordinator=True)
    assert row(told, STORES, "led").why_not and span(told, ACKS, "led") == span(
        case(of(named("network_partition"))), ACKS, "led"
    )
    (fault,) = of(named("broker_loss")).faults
    assert {one.coordinator for one in fault.cases} == {None}


def test_a_cut_of_what_comes_in_is_noticed_later() -> None:
    """The broker's next heartbeat still arrives, so that its session begins anew."""
    both, inbound = (
        span(case(of(named("network_partition", direction=direction))), "fencing", "any")
        for direction in ("both", "in")
    )
    assert inbound[0] == pytest.approx(both[0] + 2, abs=0.1)


def test_kip_848_takes_session_and_heartbeat_from_the_broker() -> None:
    """What the client has of both changes nothing."""
    group = {"group.consumer.session.timeout.ms": 6_000, "group.consumer.heartbeat.interval.ms": 2_000}
    wanted = named("consumer_loss", protocol="consumer")
    consumer = {"group.protocol": "consumer", "session.timeout.ms": 45_000}
    told = case(of(wanted, broker=group, consumer=consumer))
    assert span(told, "member_removal", "owned") == (pytest.approx(4, abs=0.1), pytest.approx(6, abs=0.1))
    assert "broker group.consumer.session.timeout.ms" in row(told, STORES, "owned").inputs


def test_with_kip_848_a_partition_stands_still_again_when_the_member_returns() -> None:
    """So that recovery ends after the healing, and the first gap does not."""
    group = {"group.consumer.session.timeout.ms": 6_000, "group.consumer.heartbeat.interval.ms": 2_000}
    wanted = named("consumer_loss", protocol="consumer", hold_s=12)
    told = case(of(wanted, broker=group, consumer={"group.protocol": "consumer"}))
    assert span(told, "recovery", "any")[0] > 14 and span(told, STORES, "owned")[1] < 9


def test_a_commit_is_a_sign_of_life_to_a_classic_group() -> None:
    """The factory's processor commits five times a second, so that its session ends at most 0.3 s early."""
    told = case(of(named("consumer_loss"), consumer={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000}))
    assert span(told, "member_removal", "owned") == (pytest.approx(5.7, abs=0.03), pytest.approx(6, abs=0.02))
    assert groups.COMMIT_EVERY_S == offset_commits.EVERY_S


def test_a_member_that_joins_anew_waits_with_all_others_for_its_former_session() -> None:
    """The others have heard of the rebalance then: no heartbeat is waited for after the session's end."""
    consumer = {"session.timeout.ms": 20_000, "heartbeat.interval.ms": 3_000}
    soon, late = (span(case(of(named("consumer_loss", hold_s=s), consumer=consumer)), STORES, "owned") for s in (2, 40))
    assert soon[1] < late[1] - 2 and soon[1] < 20.5


def test_alerts_wait_for_the_time_out_that_their_producers_have() -> None:
    """It is the profile's, which no scenario changes."""
    assert profiles.CONNECTION["socket.timeout.ms"] == brokers.ALERTS_GIVE_UP_S * 1000


@pytest.mark.parametrize("processors", [1, 3])
@pytest.mark.parametrize("kind", ["kill", "terminate", "restart"])
def test_a_static_member_of_a_classic_group_that_dies_is_not_predicted(kind: str, processors: int) -> None:
    """One that was back after 12 s, with a session of 20 s, stood still for longer than either would have it. A frozen
    one is predicted."""
    rows = {
        one: case(of(with_faults({"kind": one, "target": "owner:0"}, clients={"processors": processors}),
                     consumer={"group.instance.id": "one"}))
        for one in (kind, "pause")
    }  # fmt: skip
    for quantity, role in ((STORES, "owned"), ("recovery", "any")):
        assert "static member" in row(rows[kind], quantity, role).why_not
        assert row(rows["pause"], quantity, role).low_s is not None


def test_a_static_kip_848_member_that_restarts_inside_its_session_stays_away() -> None:
    """It is refused for good: the stall has no end."""
    group = {"group.consumer.session.timeout.ms": 6_000, "group.consumer.heartbeat.interval.ms": 2_000}
    consumer = {"group.instance.id": "one", "group.protocol": "consumer"}
    wanted = named("consumer_loss", hold_s=2, protocol="consumer", processors=1)
    found = row(case(of(wanted, broker=group, consumer=consumer)), STORES, "owned")
    assert found.low_s == 2 and found.high_s is None and "_FATAL" in found.formula


def test_a_broker_that_is_asked_to_stop_hands_over_first() -> None:
    """No timer of seconds is involved."""
    assert span(case(of(named("broker_loss", kind="terminate"))), ACKS, "led")[1] <= 2.2


def test_two_of_three_nodes_dead_are_answered_by_a_time_out() -> None:
    """After 30 s by the clients' defaults, and never by NOT_ENOUGH_REPLICAS. The stall itself has no end."""
    wanted = named("broker_loss", target="followers:0", profile="safe")
    told = case(of(wanted, producer={"socket.timeout.ms": 60_000}))
    words = row(told, ACKS, "followed").formula
    assert row(told, ACKS, "followed").high_s is None and "30 s, + U(0, 1 s)" in words
    assert "never with NOT_ENOUGH_REPLICAS" in words


def test_a_short_freeze_leaves_a_group_with_a_short_session_alone() -> None:
    """Heartbeats are answered when the broker is, long before anybody is fenced. A broker that dies is another case:
    what it coordinated waits for the end of its session, however soon it is back."""
    consumer = {"session.timeout.ms": 6_000}
    frozen, dead = (
        row(case(of(named("broker_loss", kind=kind, hold_s=2), consumer=consumer)), "recovery", "led")
        for kind in ("pause", "kill")
    )
    assert frozen.low_s is not None and "no heartbeat may be answered" in dead.why_not


@pytest.mark.parametrize("kind", ["kill", "pause"])
def test_the_more_often_alerts_come_late_the_later_everything_is_well(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interval of recovery only moves up with the share of late alerts."""
    found = []
    for share in (0.0, 0.2, 0.6, 1.0):
        monkeypatch.setattr(brokers, "LATE_ALERT", (share, share))
        found.append(span(case(of(named("broker_loss", kind=kind, hold_s=30))), "recovery", "led"))
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(found))
    assert found[0][1] < found[1][1] and found[0][0] < found[-1][0]


def test_a_group_whose_session_ends_within_the_stall_is_not_predicted() -> None:
    """Which of its members are put out depends on more than timers; acknowledgements do not."""
    told = case(of(named("broker_loss"), consumer={"session.timeout.ms": 6_000}))
    assert row(told, "recovery", "led").low_s is None and "session" in row(told, "recovery", "led").why_not
    assert row(told, ACKS, "led").low_s is not None


def test_nobody_confirms_to_a_producer_that_does_not_ask() -> None:
    """With acks=0 there is no acknowledgement, and no prediction of one."""
    assert row(case(of(named("broker_loss", acks="0"))), ACKS, "led").why_not


@pytest.mark.parametrize(
    ("kind", "target", "role"),
    [("terminate", "leader:0", "led"), ("kill", "followers:0", "followed"), ("kill", "database", "any")],
)
def test_no_fault_makes_anybody_confirm(kind: str, target: str, role: str) -> None:
    """With acks=0 the rule is the same for a broker that stops, for two of three nodes, and for the database."""
    wanted = with_faults({"kind": kind, "target": target}, topology={"profile": "safe"}, clients={"acks": "0"})
    assert "nobody confirms" in row(case(of(wanted)), ACKS, role).why_not


LATER: list[tuple[str, dict[str, Any], str, list[dict[str, Any]], tuple[str, str]]] = [
    ("broker_loss", {}, "broker",
     [{"broker.session.timeout.ms": ms} for ms in (3_000, 6_000, 9_000)], (ACKS, "followed")),
    ("broker_loss", {"target": "controller", "hold_s": 60}, "broker",
     [{"controller.quorum.fetch.timeout.ms": ms} for ms in (1_000, 2_000, 4_000)], ("controller_election", "any")),
    ("broker_loss", {"kind": "pause", "hold_s": 100}, "producer",
     [{"socket.timeout.ms": ms, **SELDOM} for ms in (15_000, 30_000, 60_000)], (ACKS, "led")),
    ("consumer_loss", {}, "consumer",
     [{"session.timeout.ms": ms, "heartbeat.interval.ms": 1_000} for ms in (6_000, 10_000, 45_000)], (STORES, "owned")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters", "side", "settings", "quantity"), LATER, ids=lambda value: str(value)[:40]
)
def test_a_longer_time_out_ends_later(
    name: str, parameters: dict[str, Any], side: str, settings: list[dict[str, Any]], quantity: tuple[str, str]
) -> None:
    """Both ends of the interval rise with each longer time-out."""
    wanted = named(name, **parameters)
    controller = parameters.get("target") == "controller"
    found = [span(case(of(wanted, **{side: values}), controller), *quantity) for values in settings]
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(found))


@pytest.mark.parametrize("hold_s", [4, 12, 30])
def test_a_database_is_missed_until_it_is_back(hold_s: float) -> None:
    """hold_s governs, and producers do not notice."""
    told = case(of(named("database_loss", hold_s=hold_s)))
    assert hold_s <= span(told, STORES, "any")[0] and span(told, STORES, "any")[1] < hold_s + 2.5
    assert span(told, ACKS, "any")[1] <= 0.5


def test_a_frozen_database_is_waited_for_in_a_call_and_a_dead_one_between_two_tries() -> None:
    """Whoever waits in a call is answered at once: the stall is as long as the freeze, within the first call's time."""
    frozen, dead = (span(case(of(named("database_loss", kind=k, hold_s=8))), STORES, "any") for k in ("pause", "kill"))
    assert frozen[1] < 8.7 < dead[1] and ProcessorConfig.model_fields["store_deadline_s"].default == stores.CALL_S
    assert stores.CONNECT_S == connection.CONNECT_S


ROLES = {"broker": "leader:0", "processor": "owner:0", "database": "database"}


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_each_kind_of_fault_has_intervals_or_a_reason(kind: str) -> None:
    """On every target that it is for: a row is an interval with its formula and source, or says why there is none."""
    for hit in FAULT_KINDS[kind].roles:
        (fault,) = of(with_faults({"kind": kind, "target": ROLES[hit], "hold_s": 12})).faults
        assert bool(fault.cases) != bool(fault.why_not), (kind, hit)
        for told in (one for found in fault.cases for one in found.quantities):
            assert (told.low_s is None) == bool(told.why_not) and (told.why_not or (told.formula and told.source))
            assert told.high_s is None or told.low_s is None or 0 <= told.low_s < told.high_s


def test_faults_that_overlap_are_not_predicted() -> None:
    """Neither of them: no formula knows the other."""
    first, second = ({"kind": "kill", "target": f"leader:{p}", "at_s": p * 5, "hold_s": 12} for p in (0, 1))
    assert all("another fault" in fault.why_not for fault in of(with_faults(first, second)).faults)
    apart = of(with_faults(first, {**second, "at_s": 60}))
    assert all(fault.cases for fault in apart.faults)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"target": "owner:0", "step": "prepared"}, "at a step of its work"),
        ({"target": "leader:0", "until_replaced": True}, "until it is replaced"),
        ({"target": "leader:0", "wipe": True}, "copies everything anew"),
    ],
)
def test_a_fault_with_an_unknown_end_is_not_predicted(fault: dict[str, Any], reason: str) -> None:
    """It says why, and has no case."""
    (told,) = of(with_faults({"kind": "kill", **fault})).faults
    assert reason in told.why_not and told.cases == []


Bounds = dict[tuple[str, str, str], tuple[tuple[float, float | None], list[str]]]
KIP_848 = {"group.protocol": "consumer"}
BY_TIMES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"kind": "kill", "target": "leader:0"}, {}, {}),
    ({"kind": "restart", "target": "leader:0"}, {}, {}),
    ({"kind": "pause", "target": "leader:0", "hold_s": 60}, {}, {}),
    ({"kind": "partition", "target": "leader:0", "hold_s": 60}, {"clients": {"acks": "1"}}, {}),
    ({"kind": "pause", "target": "followers:0"}, {"topology": {"profile": "safe"}}, {}),
    ({"kind": "kill", "target": "owner:0", "hold_s": 30}, {}, {}),
    ({"kind": "kill", "target": "owner:0", "hold_s": 12}, {"clients": {"processors": 1}}, {}),
    ({"kind": "kill", "target": "owner:0", "hold_s": 30}, {}, KIP_848),
    ({"kind": "terminate", "target": "owner:0"}, {}, {}),
]


@pytest.mark.parametrize(("fault", "changes", "consumer"), BY_TIMES, ids=lambda value: str(value)[:50])
def test_a_setting_that_is_not_among_the_inputs_of_a_row_moves_no_bound_of_it(
    fault: dict[str, Any], changes: dict[str, Any], consumer: dict[str, Any]
) -> None:
    """Whoever runs with another one is told so only where it is named."""
    wanted, moved = with_faults(fault, **changes), set[str]()
    usual = _bounds(of(wanted, consumer=consumer))
    for side, name, value in _other_settings(consumer):
        own = (consumer if side == "consumer" else {}) | {name: value}
        moved |= _moved(f"{side} {name}", usual, _bounds(of(wanted, **{"consumer": consumer, side: own})))
    longer = with_faults({**fault, "hold_s": 2 * wanted.faults[0].hold_s}, **changes)
    assert moved | _moved("lab hold_s", usual, _bounds(of(longer, consumer=consumer)))


def _other_settings(consumer: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Each setting that a prediction may rest on, with another value: of a time the half."""
    before = {side: values | CLIENTS.get(side, {}) for side, values in DEFAULTS.items()}
    times = [(side, name) for side, its in before.items() for name in its if name.endswith(".ms")]
    protocol = "classic" if consumer else "consumer"
    words = [("producer", "acks", "1"), ("producer", "acks", "all"), ("consumer", "group.protocol", protocol)]
    return [*((side, name, float(before[side][name]) / 2) for side, name in times), *words]


def _moved(setting: str, usual: Bounds, told: Bounds) -> set[str]:
    """The settings that moved a bound, this one or none; where it did, the row names it."""
    changed = [key for key in usual.keys() & told.keys() if usual[key][0] != told[key][0]]
    assert all(setting in usual[key][1] for key in changed), (setting, changed)
    return {setting} if changed else set()


def _bounds(told: Prediction) -> Bounds:
    """By victim, quantity and role: both bounds, and the names of the inputs. Each input of a program has a default."""
    rows = [(one.victim, q) for fault in told.faults for one in fault.cases for q in one.quantities]
    known = {f"{side} {name}" for side, its in DEFAULTS.items() for name in its} | {"lab hold_s"}
    assert all(known.issuperset(q.inputs) for _, q in rows)
    return {(victim, q.name, q.role): ((q.low_s, q.high_s), q.inputs) for victim, q in rows if q.low_s is not None}


def test_a_formula_is_of_the_phase_that_it_stands_for() -> None:
    """The producer's way to the new leader begins when there is one; a heartbeat that still arrives is added."""
    for kind in ("kill", "pause"):
        words = row(case(of(named("broker_loss", kind=kind, hold_s=30))), "client_discovery", "led").formula
        assert words and "session" not in words
    both, inbound = (
        row(case(of(named("network_partition", direction=direction))), "fencing", "any").formula
        for direction in ("both", "in")
    )
    assert "− U(0, heartbeat)" in both and "+ U(0, heartbeat)" in inbound


def test_the_document_has_the_numbers_of_the_formulas() -> None:
    """Each wait that is measured stands there as it is drawn."""
    text = (Path(__file__).parents[3] / "docs" / "predictions.md").read_text(encoding="utf-8")
    told = [
        controllers.LATE_CHECK_S, controllers.CHECK_TAKES_S, controllers.ELECTED_S, clients.FOLLOW_ON_S,
        clients.FETCH_AGAIN_S, outages.COPIES_AGAIN_S, outages.STEPS_DOWN_S, brokers.LATE_ALERT_S,
        groups.TAKES_OVER_S, groups.GOES_BACK_S, groups.JOINS_S, majority.RESUMED_S,
    ]  # fmt: skip
    assert [u(bounds) for bounds in told if u(bounds) not in text] == []


def test_a_producer_is_older_by_the_backlog_that_it_writes_first() -> None:
    """And by what the group needs to come together: its regular requests come so much earlier in the outage. Those of
    the group's consumers do not."""
    fault = {"kind": "pause", "target": "leader:0"}
    times = EffectiveSettings(broker={}, producer=set_by("test", PRODUCER), consumer=set_by("test", CONSUMER))
    plain, late = with_faults(fault), with_faults(fault, schedule={"backlog_s": 4})
    producer, consumer = (
        [clients.first_refresh(Situation(one.faults[0], one, times, Draws()), of_whom) for one in (plain, late)]
        for of_whom in SIDES
    )
    earlier = (producer[0] - producer[1]) % 10
    assert earlier.min() >= 4.5 and earlier.max() <= 7.5  # a consumer is 0.5 to 3.5 s older than its window
    assert np.array_equal(*consumer)


def test_a_scenario_without_a_fault_has_nothing_to_predict() -> None:
    """It has no rows, and no inputs."""
    told = of(named("baseline"))
    assert told.faults == [] and told.inputs == []


def test_a_prediction_names_its_inputs_and_who_set_them() -> None:
    """What was set, with its source, and what was not, as the software's default."""
    told = {(one.owner, one.name): one for one in of(named("broker_loss", kind="pause")).inputs}
    assert told["producer", "socket.timeout.ms"].source == "test"
    assert told["broker", "broker.session.timeout.ms"].source == "Kafka's default"


def test_a_time_that_is_no_number_is_refused() -> None:
    """With its name and its value."""
    with pytest.raises(UsageError, match=r"broker.session.timeout.ms='nine'"):
        of(named("broker_loss"), broker={"broker.session.timeout.ms": "nine"})
    with pytest.raises(UsageError, match=r"fetch.wait.max.ms='soon'"):
        of(named("broker_loss", kind="pause"), consumer={"fetch.wait.max.ms": "soon"})


def test_an_unknown_parameter_is_refused() -> None:
    """Before anything is computed."""
    with pytest.raises(ScenarioError, match="has no parameter"):
        named("broker_loss", session=3)


def test_draws_are_independent() -> None:
    """Two waits of one prediction are not the same draws."""
    draws = Draws()
    one, other = draws.between(0, 1), draws.between(0, 1)
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.03


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in {"recorded_machine", "control"}])
def test_each_named_scenario_can_be_predicted(name: str) -> None:
    """With its defaults: one prediction for each fault."""
    wanted = named(name)
    assert len(of(wanted).faults) == len(wanted.faults)
