"""Whether the run proves anything: each of these makes it INVALID, not failed.

The lab's own evidence must be whole (seal, clock, tables, journals, probe, final read), and the experiment must
have happened (steady state, faults that landed, readings offered during and after them, everything healed).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from factorylab.analysis import rates
from factorylab.analysis.places import offset_of
from factorylab.analysis.readings import Ints
from factorylab.audit.checks import cut_evidence, fault_evidence
from factorylab.audit.checks.duplicates import again
from factorylab.audit.checks.loss import beyond_journal
from factorylab.audit.checks.undisturbed import replaced
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.core.clock import JUMP_S, NS
from factorylab.history import run_folders
from factorylab.history.saved_run import each
from factorylab.history.tables import WRITERS

RATE_TOLERANCE = 0.05
LAG_NOISE_S = 0.5  # a lag that moves by less than is offered in this time moves with batches and the host's other work
ENOUGH_SENDS = 0.5  # of what the declared rate would have offered in the window
SAMPLES_PER_S = 4.0
BLIND_S = 2.0
HELD_ENOUGH = 0.5  # of the declared time: a busy machine injects late
OWN_WORKERS = ("probe", "runner")
PHASES = ("start", "warm_up", "steady", "after", "recover", "drain", "final_read", "end")


ROWS_ONCE = (
    "commits", "cross_reads", "database", "epochs", "events", "faults", "frozen", "group", "phases", "positions",
    "reach", "reads", "sensors", "stages", "workers",
)  # fmt: skip
"""Of others a check of their own says whether a row may be there twice."""


def _notes(words: list[str]) -> list[Witness]:
    return [Witness(note=word) for word in words[:WITNESSES]]


@check("raw/ is as it was sealed.", "files were changed, added or removed", "INVALID")
def seal(e: Evidence) -> Found:
    broken = run_folders.broken_seal(e.run.folder)
    return Found(len(broken), len(run_folders.digests(e.run.folder)), ", ".join(broken[:WITNESSES]), _notes(broken))


@check("All tables of the history are there, and no row twice.", "tables lack something, or repeat a row", "INVALID")
def tables(e: Evidence) -> Found:
    words = [*e.run.missing(), *(f"{table} has rows twice" for table in ROWS_ONCE if _repeats(e.run.frame(table)))]
    return Found(len(words), len(e.run.table_names), ", ".join(words), _notes(words))


def _repeats(frame: pd.DataFrame) -> bool:
    lists = {str(name): frame[name].astype(str) for name in frame.select_dtypes("object")}
    return bool(frame.assign(**lists).duplicated().any())


@check(
    "All clocks are of one boot, and none jumped.", "readings of a clock are of another time", "INVALID", of_times=True
)
def one_clock(e: Evidence) -> Found:
    """Wherever both clocks were written down, the wall clock must be as far from the monotonic one as it is at most
    other places: a step of the wall clock, or a host that was suspended, moves it by more than JUMP_S."""
    workers = e.run.workers
    if workers.empty:
        return Found(1, 0, "no worker wrote a journal")
    other = workers.loc[workers["boot_id"].astype(str) != e.run.manifest.boot_id, "worker"].astype(str)
    phases = e.run.phase_starts[e.run.phase_starts["wall_ns"] >= 0].rename(columns={"phase": "who"})
    stamps = pd.concat([workers.rename(columns={"worker": "who"})[["who", "t_ns", "wall_ns"]], phases])
    apart = stamps["wall_ns"] - stamps["t_ns"]
    jump_s = (apart - apart.sort_values(ignore_index=True).iloc[(len(apart) - 1) // 2]) / NS
    jumped = stamps.assign(jump_s=jump_s)[jump_s.abs() > JUMP_S]
    words = [f"{worker}: another boot" for worker in other]
    words += [f"{j.who}: the wall clock is off by {j.jump_s:+.1f} s" for j in each(jumped)]
    wrote = [t for who in {*other, *map(str, jumped["who"])} for t in (*_written_by(who), "workers")]
    return Found(len(words), len(stamps), "; ".join(words[:WITNESSES]), _notes(words), distrusted=frozenset(wrote))


def _written_by(who: str) -> tuple[str, ...]:
    """The tables of a worker; those of the runner where `who` is a phase."""
    return WRITERS.get(who.rpartition("-")[0] or who, WRITERS["runner"])


@check("The run went through all its phases, once and in their order.", "phases did not come in turn", "INVALID")
def complete(e: Evidence) -> Found:
    window = ["fault_window"] if e.run.scenario.fault_window_s or e.run.scenario.faults else []
    wanted = [*PHASES[:3], *window, *PHASES[3:]]
    words = [f"{phase} is missing" for phase in wanted if phase not in e.run.phases]
    came = [phase for phase in wanted if phase in e.run.phases]
    words += [f"{b} came before {a}" for a, b in pairwise(came) if e.run.phases[b] < e.run.phases[a]]
    told = e.run.frame("phases", "phase")["phase"].astype(str)
    words += [f"{phase} came again" for phase in told[told.duplicated()]]
    return Found(len(words), len(wanted), ", ".join(words), _notes(words))


@check("The lab could do all that it had to.", "things the lab could not do", "INVALID")
def no_problems(e: Evidence) -> Found:
    failed = e.run.folder.raw / run_folders.FAILED
    if failed.exists():
        return Found(1, 1, failed.read_text(encoding="utf-8").strip())
    problems = list(e.run.manifest.problems)
    problems += [f"{name} died" for name in e.run.manifest.workers_died if name in OWN_WORKERS]
    return Found(len(problems), max(1, len(problems)), "; ".join(problems[:WITNESSES]), _notes(problems))


@check(
    "Each reading was due once and answered once, and no record lies beyond the journal.",
    "readings break this", "INVALID",
)  # fmt: skip
def journal_whole(e: Evidence) -> Found:
    """An intent is journaled before its send, so a record with a higher seq than the journal's last means that the
    journal was cut. Only an acknowledgement has a time and a place, and none has an error."""
    twice, cut, odd = len(again(e.send_key, e.send_row)), beyond_journal(e), _odd_answers(e)
    detail = f"{twice:,} due twice, {len(cut):,} records beyond the journal, {len(odd):,} answers that cannot be"
    witnesses = e.log_witnesses(cut, "beyond the journal") + e.witnesses(odd, "an answer that cannot be")
    return Found(twice + len(cut) + len(odd), e.run.row_count("sends"), detail, witnesses)


def _odd_answers(e: Evidence) -> Ints:
    found = [np.empty(0, np.int64)]
    for chunk, key in e.sends("t_ack_ns", "offset", "outcome", "error"):
        ok, failed = chunk.text("outcome").are("ok"), chunk.text("error").known
        found.append(key[(ok != (chunk["t_ack_ns"] >= 0)) | (ok & failed) | (~ok & (chunk["offset"] >= 0))])
    return np.concatenate(found)


@check(
    "The final read covers each partition from its start to its frozen end.", "partitions are not covered", "INVALID"
)
def final_read(e: Evidence) -> Found:
    offsets = {p: offset_of(e.log.place[[low, high - 1]]) for p, (low, high) in e.log.partitions.items()}
    read = {p: (int(first), int(last)) for p, (first, last) in offsets.items()}
    declared, short = range(e.run.scenario.topology.partitions), []
    for p in declared:
        told = [f for f in each(e.run.frozen) if f.partition == p]
        if len(told) != 1:
            short.append(f"partition {p}: {len(told) or 'no'} frozen ends")
            continue
        (frozen,) = told
        there = (frozen.start, frozen.end - 1) if frozen.start != frozen.end else "nothing"
        if read.get(p, "nothing") != there:
            short.append(f"partition {p}: read {read.get(p, 'nothing')} of {frozen.start}…{frozen.end - 1}")
    short += [f"partition {p}: there is none" for p in sorted({*read, *e.run.frozen["partition"]} - {*declared})]
    return Found(len(short), len(declared), "; ".join(short), _notes(short))


@check("The probe looked at least four times a second and was never blind for long.", "gaps of over 2 s", "INVALID")
def probe_alive(e: Evidence) -> Found:
    """At processes, and at each partition's leader and lag: it writes of all of them each time."""
    start, end = _window(e, "warm_up", "drain")
    looks = {"": e.run.frame("processes", "t_ns")["t_ns"].to_numpy()}
    for table in ("partitions", "lag"):
        frame = e.run.frame(table, "t_ns", "partition")
        seen_ns, where = frame["t_ns"].to_numpy(), frame["partition"].to_numpy()
        for p in range(e.run.scenario.topology.partitions):
            looks[f" to {table} {p}"] = seen_ns[where == p]
    words, rate, n = [], np.inf, 0
    for what, t_ns in looks.items():
        inside = np.unique(t_ns[(t_ns >= start) & (t_ns <= end)])
        edges = np.concatenate([[start], inside, [end]])
        blind = edges[:-1][np.diff(edges) > BLIND_S * NS]
        words += [f"blind{what} from {(t - e.run.t0_ns) / NS:.1f} s on" for t in blind]
        rate, n = min(rate, len(inside) / ((end - start) / NS)), n + len(edges) - 1
    words += ["too slow"] * (rate < SAMPLES_PER_S)
    return Found(len(words), n, f"{rate:.1f} samples a second", _notes(words))


def _window(e: Evidence, start: str, *ends: str) -> tuple[int, int]:
    """A phase as (start, end) in ns; it ends with the first of `ends` that the run has."""
    phases = {str(phase): t_ns for phase, t_ns in e.run.phases.items()}
    reached = [end for end in ends if end in phases]
    if start not in phases or not reached:
        raise ValueError(f"the run never went from {start} to {ends[-1]}")
    return phases[start], phases[reached[0]]


@check(
    "Before any fault the offered rate was the declared one and the lag did not grow.", "rules are broken", "INVALID"
)
def steady_state(e: Evidence) -> Found:
    """Up to the fault or the next rate: sends within 5 % of the declared rate, and the lag's slope within 5 % of it
    too, or so small that the lag moved by less than LAG_NOISE_S. When a program under test commits is its own affair,
    and all that is known of its lag: there the slope is told and not judged."""
    start, end = _window(e, "steady", "fault_window", "after")
    changed = e.run.t0_ns + (e.run.once(rates.stages)["start_s"] * NS).astype("int64")
    end = min([end, *changed[changed > start]])
    declared = e.run.scenario.workload.rate_per_s
    offered = sum(int(((t >= start) & (t <= end)).sum()) for t in e.run.offered_times("t_ns"))
    rate = float(offered) / ((end - start) / NS)
    window_s = (end - start) / NS
    slope = rates.slope_per_s(e.run.once(rates.total_lag), 0.0, window_s)
    allowed = declared * max(RATE_TOLERANCE, LAG_NOISE_S / (window_s * 2 / 3))  # the slope spans two thirds of it
    broken = []
    if abs(rate - declared) > RATE_TOLERANCE * declared:
        broken.append("the rate is off")
    if not abs(slope) <= allowed and not e.run.scenario.subject:  # NaN, too few samples, breaks it too
        broken.append("the lag is not steady")
    detail = (
        f"{rate:,.0f}/s offered of {declared:,.0f}/s declared, lag slope {slope:+,.1f} records/s of ±{allowed:,.1f}"
    )
    if e.run.scenario.subject:
        return Found(len(broken), 1, f"{detail}, which is not asked of a program under test", _notes(broken))
    return Found(len(broken), 2, detail, _notes(broken))


@check("Each declared fault landed, as an independent process saw.", "faults did not land", "INVALID")
def fault_landed(e: Evidence) -> Found:
    """The injector found evidence, and so did the probe before the healing: the victim was dead or paused, or just the
    links that a network fault breaks were broken."""
    declared = e.run.scenario.faults
    steps = e.run.faults.astype({"step": str, "evidence": str})
    known = range(len(declared))
    missed = [f"fault {number} was never declared" for number in sorted(set(steps["fault"]) - set(known))]
    for number, fault in enumerate(declared):
        other = steps[(steps["fault"] == number) & ((steps["kind"] != fault.kind) | (steps["target"] != fault.target))]
        missed += [f"fault {number} was {o.kind} {o.target}" for o in each(other.head(1))]
        mine = e.fault_windows[e.fault_windows["fault"] == number]
        if mine.empty:
            why = steps.loc[(steps["fault"] == number) & (steps["step"] == "skipped"), "evidence"].tolist()
            missed.append(
                f"fault {number} ({fault.kind} {fault.target}) was not injected{': ' * bool(why)}{''.join(why[:1])}"
            )
        told = ((steps["fault"] == number) & (steps["step"] == "evidence")).any()
        for w in each(mine):
            unseen = fault_evidence.lacking(e.run, fault, w)
            unseen += ["the injector saw nothing"] * (not told)
            held_s = (w.healed_ns - w.injected_ns) / NS if w.healed_ns > 0 else np.inf
            unseen += [f"held for {held_s:.1f} s of {fault.hold_s:g}"] * (held_s < HELD_ENOUGH * fault.hold_s)
            missed += [f"fault {number}: {'; '.join(unseen[:WITNESSES])}"] * bool(unseen)
    return Found(len(missed), len(declared), "; ".join(missed), _notes(missed), "" if declared else "no fault")


@check("Readings were offered while each fault was held, and after it.", "windows had too few", "INVALID")
def enough_sends(e: Evidence) -> Found:
    """At least half of what the declared rate would have offered. A recorded source may end within the last window:
    that window ends with it."""
    if not e.run.scenario.faults:
        return Found(0, 0, not_asked="no fault")
    windows = {
        f"fault {w.fault} on {w.node}": (w.injected_ns, w.healed_ns)
        for w in each(e.fault_windows)
        if w.healed_ns > 0 and e.run.scenario.faults[w.fault].hold_s
    }
    if e.run.scenario.schedule.after_s:
        start, end = _window(e, "after", "recover")
        if e.run.scenario.workload.source:
            end = min(end, max((int(t.max()) for t in e.run.offered_times("t_intended_ns")), default=0))
        windows["after"] = (start, end)
    offered = dict.fromkeys(windows, 0)
    for t in e.run.offered_times("t_intended_ns"):
        for name, (start, end) in windows.items():
            offered[name] += int(((t >= start) & (t < end)).sum())
    thin = []
    for name, (start, end) in windows.items():
        wanted = ENOUGH_SENDS * e.run.scenario.workload.rate_per_s * (end - start) / NS
        if offered[name] < max(wanted, 1):
            thin.append(f"{name}: {offered[name]:,} of at least {wanted:,.0f}")
    return Found(len(thin), len(windows), "; ".join(thin), _notes(thin))


@check("At the end every fault was healed, every replica in sync, every node running.", "things were not", "INVALID")
def healed(e: Evidence) -> Found:
    """Replicas by the last sample, nodes and links when the drain began: after it processors are stopped."""
    wounds = [f"fault {w.fault} on {w.node}: not healed" for w in each(e.fault_windows) if w.healed_ns <= 0]
    drain_ns = _window(e, "drain", "final_read")[0]
    for w in each(e.fault_windows):
        wounds += cut_evidence.not_whole(e.run, e.run.scenario.faults[w.fault], w, drain_ns)
    views = e.run.partitions[e.run.partitions["valid"]].sort_values("t_ns").drop_duplicates("partition", keep="last")
    replicas = e.run.scenario.topology.replication
    wounds += [
        f"partition {v.partition}: in sync {v.isr}" for v in each(views) if len(v.isr) != replicas or v.leader < 0
    ]
    unseen = set(range(e.run.scenario.topology.partitions)) - set(views["partition"])
    wounds += [f"partition {p}: never seen" for p in sorted(unseen)]
    samples = e.run.frame("processes", "t_ns", "name", "status")
    before = samples[samples["t_ns"] <= drain_ns]
    last = before.sort_values("t_ns").drop_duplicates("name", keep="last")
    wanted = last[last["name"].astype(str).str.startswith(("broker", "database", "processor"))]
    own = e.run.manifest.workers_died if e.run.scenario.subject else ()  # `died_unasked` holds it against the program
    wounds += [f"{n.name} is {n.status}" for n in each(wanted) if n.status != "running" and n.name not in own]
    needed = {
        *e.run.manifest.own_brokers,
        "database",
        *(f"processor-{i}" for i in range(e.run.scenario.clients.processors)),
    }
    wounds += [f"{name} was never seen" for name in sorted(needed - set(wanted["name"].astype(str)))]
    told = e.run.database[e.run.database["t_ns"] <= drain_ns].sort_values("t_ns")["answer"].tail(1).tolist()
    wounds += [f"the database last answered {answer!r}" for answer in told if answer != "ok"]
    return Found(len(wounds), len(views) + len(wanted), "; ".join(wounds[:WITNESSES]), _notes(wounds))


@check("No part of the system died unasked.", "parts died", by_times_of=("processes", "faults", "phases"))
def died_unasked(e: Evidence) -> Found:
    """A finding about the system, so a FAIL: what the supervisor saw end, and what the probe saw dead with no fault
    on it. A sample bears the time at which its round began; a busy probe looks later, before its next round, and a
    fault may have begun in between. A fleet that replays a recording ends with it. What somebody else began again he
    may have ended, too: `undisturbed` says so."""
    names = {name for name in e.run.manifest.workers_died if name not in OWN_WORKERS}
    others = replaced(e)
    samples = e.run.frame("processes", "t_ns", "name", "status")
    start, end = _window(e, "warm_up", "recover")
    samples = samples.sort_values("t_ns", kind="stable")
    samples["until_ns"] = samples.groupby("name", observed=True)["t_ns"].shift(-1).fillna(samples["t_ns"])
    dead = samples[(samples["status"] == "dead") & samples["t_ns"].between(start, end)]
    if e.run.scenario.workload.source is not None:
        dead = dead[~dead["name"].astype(str).str.startswith("fleet-")]
    windows = e.fault_windows
    for name, mine in dead.groupby("name", observed=True):
        asked = pd.Series(False, index=mine.index)
        for w in each(windows[windows["node"] == name]):
            until_ns = w.healed_ns if w.healed_ns > 0 else end
            asked |= (mine["until_ns"] >= w.intended_ns) & (mine["t_ns"] <= until_ns)
        if not asked.all() and str(name) not in (*OWN_WORKERS, *others):
            names.add(str(name))
    total = samples["name"].nunique()
    return Found(len(names), int(total), ", ".join(sorted(names)), _notes(sorted(names)))
