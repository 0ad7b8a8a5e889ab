"""The rows of a prediction for a broker: the phases of its outage, and what they come to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from factorylab.scenarios.prediction import clients, controllers
from factorylab.scenarios.prediction.draws import Floats, u
from factorylab.scenarios.prediction.outages import HEALED_S, STEPS_DOWN_S, Outage
from factorylab.scenarios.prediction.situation import PRODUCER_ACKS, Situation, drawn, names, no_model
from factorylab.scenarios.prediction.structures import Quantity, Role
from factorylab.scenarios.stall_phases import (
    BROKER_SESSION,
    CLIENT_DISCOVERY,
    CONSUMER_DISCOVERY,
    CONTROLLER_ELECTION,
    FENCING,
    HEARTBEAT,
    HOLD,
    ISR_SHRINK,
    LEADER_ELECTION,
    PRODUCER_REFRESH,
    QUORUM_ELECTION,
    QUORUM_FETCH,
    Setting,
)

ACKS, STORES, RECOVERY, LOST = "longest_ack_gap", "longest_store_gap", "recovery", "lost_until"
LATE_ALERT, LATE_ALERT_S = (0.2, 0.4), (0.5, 4.5)
"""A processor stores a batch once its alerts are acknowledged. Their producer has few records, so it may learn of the
new leader of a partition of alerts with the first of them, seconds later. How often: where its requests waited for the
end of the session, and where they timed out before. Measured, 1 of 10 and 5 of 8 deaths, 2.0–3.3 s: so few that each
share lies between its own measurement and that of all (6 of 18). The exact 95 % interval of 5 of 8 is 24–91 %. With the
measured shares the ends of an interval of `recovery` move by up to 0.6 s, at the lab's own settings."""
ALERTS_GIVE_UP_S, ANSWERED_S = 10.0, (0.1, 0.8)
"""socket.timeout.ms of the processors' own producers, which no scenario changes (measured, 8.0 s late), and what it
takes after a healing (measured, 0.3 s)."""
FIRST_BATCH = (0.02, 0.15)
"""How often that delays the first batch of a partition, led or followed, and not a later one, in the same two cases:
measured, 0 of 18 and 3 of 14 gaps. A processor has one batch under way for all its partitions."""
LEFT_OVER = 0.5
"""How often a consumer finds records at the new leader that were acknowledged before the fault, so that it need not
wait for the producer. Measured, 1 of 2 in which the consumer was first."""
AT_ONCE = f"one metadata record: {u(controllers.ELECTED_S)}"
READS = (
    f"{u((0, clients.SCAN_S))} to its next look + {u(clients.FETCH_AGAIN_S)} to validate and fetch, less what the "
    "producer took"
)
UNSEEN_S = 0.5
"""A shorter stall counts as none (analysis.silence.STALL_S)."""
ROLES: tuple[Role, ...] = ("led", "followed")
QUORUM: tuple[Setting, ...] = (QUORUM_FETCH, QUORUM_ELECTION)
SESSION: tuple[Setting, ...] = (BROKER_SESSION, HEARTBEAT)


def silent(outage: Callable[[Situation], Outage]) -> Callable[[Situation], list[Quantity]]:
    """The rows for a broker that goes without a word."""

    def rows(s: Situation) -> list[Quantity]:
        out = outage(s)
        return [*_phases(s, out), *_acks(s, out), *_stores(s, out)]

    return rows


def _deciding(s: Situation) -> tuple[Setting, ...]:
    return (*(QUORUM if s.controller else ()), *SESSION)


def _source(s: Situation) -> str:
    return controllers.GRANTED_SOURCE if s.controller else controllers.SESSION_SOURCE


def _phases(s: Situation, out: Outage) -> list[Quantity]:
    """Until there is a new leader; nothing where the broker may be back before that."""
    if s.back_s < float(out.new_leader.max()):
        return []
    waits = np.maximum(out.led - out.new_leader, 0)
    found = [
        drawn(FENCING.name, "any", out.fenced - out.elected, controllers.formula(s), SESSION, _source(s)),
        drawn(LEADER_ELECTION.name, "led", out.new_leader - out.fenced, AT_ONCE, (), "measured"),
        drawn(ISR_SHRINK.name, "followed", out.new_leader - out.fenced, AT_ONCE, (), "measured"),
    ]
    if not _answers_alone(s):
        reads = np.maximum(out.read - out.led, 0) + clients.follows_on(s)
        led_by = (*_deciding(s), *out.led_inputs)
        found.append(drawn(CLIENT_DISCOVERY.name, "led", waits, out.finds_leader, led_by, clients.SOURCE))
        read_by = (*led_by, *out.read_inputs)
        found.append(drawn(CONSUMER_DISCOVERY.name, "led", reads, READS, read_by, clients.SOURCE))
    if s.controller:
        waited = u((0, controllers.FETCH_WAIT_S))
        words = f"fetch time-out − {waited} + votes; after a split vote once more the election time-out"
        source = controllers.CONTROLLER_SOURCE
        found.insert(0, drawn(CONTROLLER_ELECTION.name, "any", out.elected, words, QUORUM, source))
    return found


def _acks(s: Situation, out: Outage) -> list[Quantity]:
    if s.acks == "0":
        return unconfirmed(*ROLES)
    led = drawn(ACKS, "led", out.led, out.led_formula, (*_deciding(s), *out.led_inputs), _source(s))
    if s.acks == "all":
        words = out.followed_formula
        return [led, drawn(ACKS, "followed", out.followed, words, (*_deciding(s), HOLD, PRODUCER_ACKS), _source(s))]
    alone = f"acks={s.acks}: the leader answers alone; what it answers for cannot be read until the ISR has shrunk"
    if _answers_alone(s):
        led = nothing("led", "the isolated leader goes on answering alone, until the producer hears of the new one")
        return [led, nothing("followed", alone), _lost(s, out)]
    return [led, nothing("followed", alone)]


def unconfirmed(*roles: Role) -> list[Quantity]:
    """With acks=0 there is no acknowledgement to wait for."""
    return [no_model(ACKS, role, "acks=0: nobody confirms anything") for role in roles]


def _answers_alone(s: Situation) -> bool:
    """Does a leader that is cut off from its peers go on confirming to clients that reach it?"""
    return s.acks != "all" and s.answers_alone


def _lost(s: Situation, out: Outage) -> Quantity:
    """Until when what is acknowledged is lost: the producer stays with the isolated leader until it hears of another.
    On a topic of one partition it asks nobody else."""
    healed = s.fault.hold_s + s.draws.between(*HEALED_S)
    hears = clients.hears_of_leader(s, out.new_leader, clients.first_refresh(s), "producer")
    hears = healed if s.scenario.topology.partitions == 1 else hears
    words = "the next regular metadata request after the election, or the healing; with one partition the healing"
    return drawn(LOST, "led", np.minimum(hears, healed), words, (*_deciding(s), PRODUCER_REFRESH, HOLD), clients.SOURCE)


def nothing(role: Role, why: str) -> Quantity:
    """No stall of acknowledgements that counts."""
    return Quantity(
        name=ACKS,
        role=role,
        low_s=0,
        high_s=UNSEEN_S,
        formula=why,
        inputs=names((PRODUCER_ACKS,)),
        source="a shorter stall counts as none",
    )


def _stores(s: Situation, out: Outage) -> list[Quantity]:
    rows: tuple[tuple[str, Role], ...] = (*((STORES, role) for role in ROLES), *((RECOVERY, role) for role in ROLES))
    if why := _put_out(s, out):
        return [no_model(name, role, why) for name, role in rows]
    waits = ~s.draws.chance(LEFT_OVER)
    left_over = np.maximum(out.read, out.led - out.read)  # and then nothing until the producer goes on
    stored = out.read if _answers_alone(s) else np.where(waits, np.maximum(out.read, out.led), left_over)
    stored = stored + clients.commits(s)
    led, followed = (
        _with_alerts(s, gap, out, FIRST_BATCH) - clients.stores_on(s)
        for gap in (stored, out.followed + clients.commits(s))
    )
    last = stored if _answers_alone(s) else np.maximum(stored, out.led)
    only_followed = _with_alerts(s, out.followed + clients.commits(s), out, LATE_ALERT)
    seconds = (led, followed, _with_alerts(s, last, out, LATE_ALERT), only_followed)
    words = (
        f"{out.led_formula}; then the consumer finds the leader, validates its offset, fetches, and commits once its "
        "alerts are acknowledged",
        f"the high watermark waits: {out.followed_formula}",
        "the longest of these; a batch may wait for the producer of its alerts",
        "the same where the victim led none: only what it followed waits",
    )
    inputs = (*_deciding(s), *out.led_inputs, *out.read_inputs, s.session, HOLD)
    return [drawn(*row, of, text, inputs, clients.SOURCE) for row, of, text in zip(rows, seconds, words, strict=True)]


def _with_alerts(s: Situation, gap: Floats, out: Outage, shares: tuple[float, float]) -> Floats:
    """The gap, in such a share of the draws longer by what the producer of alerts needs. With a connection that is
    silent it waits for its own time-out, or for the healing."""
    silent_still = not s.fault.declared.ends_process  # its requests time out, whenever the session ends
    share = np.where(silent_still | (out.fenced > ALERTS_GIVE_UP_S), shares[1], shares[0])
    if s.fault.declared.ends_process:
        return gap + np.where(s.draws.chance(share), s.draws.between(*LATE_ALERT_S), 0)
    late = np.where(s.draws.chance(share), s.draws.between(LATE_ALERT_S[0], ALERTS_GIVE_UP_S), 0)
    return np.maximum(gap, np.minimum(gap + late, s.back_s + s.draws.between(*ANSWERED_S)))


def _put_out(s: Situation, out: Outage) -> str:
    """Why nothing can be said of what the group does; empty where its members outlast the stall."""
    # what a dead coordinator led waits for the session's end, also where it is back before that
    unanswered = out.fenced if s.fault.declared.ends_process else np.minimum(out.fenced, out.followed)
    session_s, longest_s = s.s(s.session), float(unanswered.max()) + clients.SCAN_S
    if s.coordinator and s.answers_alone:
        return "the coordinator is cut off: commits wait there, heartbeats behind them, and sessions may end; no model"
    if s.kip_848 or session_s > longest_s:
        return ""
    return (
        f"{s.session.name} is {session_s:g} s, and for up to {longest_s:.1f} s no heartbeat may be answered: members "
        "may be put out of the group, or not; that depends on where their commits wait"
    )


def stopped(s: Situation) -> list[Quantity]:
    """SIGTERM: its leaderships move first, and it leaves the ISR with a word."""
    moves = s.draws.between(*STEPS_DOWN_S)
    words, source = f"a controlled shutdown moves each leadership: {u(STEPS_DOWN_S)}", "measured; no timer governs it"
    acks = [
        drawn(ACKS, "led", moves, words, (), source),
        drawn(ACKS, "followed", moves * 0.5, "the ISR shrinks with the shutdown", (), source),
    ]
    return [
        *(unconfirmed(*ROLES) if s.acks == "0" else acks),
        no_model(STORES, "led", "no model of a consumer whose leader moves while it lives"),
        no_model(RECOVERY, "any", "no model of a consumer whose leader moves while it lives"),
    ]
