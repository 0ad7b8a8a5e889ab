"""Whose open transactions are ended by `factorylab heal`."""

from __future__ import annotations

from factorylab.cluster.open_transactions import of_dead_processors


def test_only_those_of_the_labs_own_dead_processors_are_ended() -> None:
    """A stranger's id on the same brokers is left alone, and so is that of a processor that lives, frozen or not."""
    ids = ["payments-1", "sensor-processors-r1-processor-0", "sensor-processors-r1-processor-10"]
    assert of_dead_processors(ids, []) == ids[1:]
    assert of_dead_processors(ids, ["broker-1", "processor-0"]) == ids[2:]
    assert of_dead_processors(ids, ["processor-0", "processor-10"]) == []
    assert of_dead_processors(ids, [], prefix="mine-") == []
