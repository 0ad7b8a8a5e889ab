"""What each figure of a run shows, and how to read it: for the report and for the notebooks, which repeat it."""

from __future__ import annotations

from typing import NamedTuple


class Legend(NamedTuple):
    """`alt` names what the figure shows; `how_to_read` explains it."""

    alt: str
    how_to_read: str


LEGENDS = {
    "timeline": Legend(
        "Throughput, consumer lag, partition leaders and partition owners over one time axis",
        "The four panels share one time axis, up to the end of the drain: zero is the start of the steady state, grey "
        "the time a fault was held, and the dotted line the last transaction that stored a reading. "
        "Top: readings per second as they were due, as sensors offered them, brokers acknowledged them and processors "
        "stored them. Where offered leaves due, the load generator is late. A dip "
        "in acked followed by a peak is a stall that was made up for; without a peak, readings were shed, failed or "
        "remain unknown, and the checks say whether any was lost. Where only stored falls, processors are behind. "
        "Second: consumer lag, the records in the log that the group has not "
        "finished. Below: the leader and the owner of each partition. A bar that changes its pattern is an election "
        "(leader) or a rebalance (owner), a gap means that nobody was in charge, and a line under a bar that the "
        "partition lacked in-sync replicas.",
    ),
    "latency": Legend(
        "End-to-end latency over time on a logarithmic axis",
        "The time from the moment a reading was due to the commit of the transaction that stored it. Each reading "
        "stands at its due moment, so a stall shows as a sawtooth: the reading that came first waited longest. The "
        "band reaches from the median to the 99th percentile. Below, the 99th percentile of its parts: the generator's "
        "(due to sent), Kafka's (sent to acknowledged) and the pipeline's (acknowledged to stored).",
    ),
    "ack_gaps": Legend(
        "The longest time without an acknowledgement for each partition",
        "A bar is the longest time in which a partition acknowledged nothing; the mark is the longest such time of the "
        "steady state. A hatched bar did not end while it was watched: the true gap is longer.",
    ),
    "exposure": Legend(
        "Acknowledged readings that the death of their leader would have lost, over time",
        "Each line counts the acknowledged readings that existed on one broker only, because no follower had copied "
        "them yet or because that broker was the only in-sync replica. The band reaches up to the most that is "
        "possible between two samples of the probe. A run that lost nothing shows here how close it came.",
    ),
    "blind": Legend(
        "How late alerts were or would have been, how many machines were blind, and for how long at worst",
        "No violation is needed: each reading shows when its alert would have been stored, had it raised one, because "
        "both are stored in one transaction. Top: the slowest reading of each half second, by the moment it was due; "
        "dots are alerts that were raised, crosses are readings that were never stored. Middle: how many machines "
        "of each location were blind. A machine is blind from a late reading (above the green line) until its next "
        "reading is due. Bottom: the blind time of the worst machine of each location, counted from the first fault "
        "on (without a fault, over the whole run); the mark is the median machine.",
    ),
    "life": Legend(
        "The life of one reading that shows what was found",
        "The steps of one reading, from top to bottom in the order of time; the table names the evidence of each step.",
    ),
    "views": Legend(
        "What each broker said about the leader of one partition, and what became of the readings acknowledged there",
        "Each lane is one broker, asked on its own: the pattern is the leader that it names, the numbers are the "
        "replicas that it counts as in sync, and a line under a bar means that one is missing. Lanes that differ at "
        "the same moment are brokers that contradict each other; a gap is a broker that did not answer. Top: the "
        "readings that the partition acknowledged at that moment; hatched ones are not in the log afterwards.",
    ),
    "load_curve": Legend(
        "Offered and stored against declared rate, and latency at each",
        "On the dotted line all that was declared was offered and stored in its step; what is left over from an "
        "earlier step does not count. Where the offered line falls below it, the load generator was the limit, and the "
        "system was not put to the test. At a hollow mark the rate was not kept, so the latency there only reflects "
        "how long the step lasted.",
    ),
    "waterfall": Legend(
        "The phases of each partition's longest stalls, one below the other, each where it lies in time",
        "A row is a phase of a stall, as long as the part of the stall that it took; the rows of a stall add up to it. "
        "On the right, what the partition lacked: acknowledgements (acks) or transactions (stores). "
        "Hatched is the slowest phase of its stall. The thin line at a bar's end is how much shorter the phase may "
        "have been, since the probe looks five times a second; the phase after it is then as much longer. A line that "
        "would be too short to see is left out. Names joined by + are phases that no evidence told apart, and > is a "
        "phase that had not ended when it was last watched.",
    ),
}

SPREAD = (
    "Each mark is a run, a triangle one whose end was not seen: its value is a lower bound. The tick is the median, "
    "the bar its interval, from five runs on. Whether two sets differ is for the test in factorylab compare."
)
"""How to read the figure of several runs."""
