"""Cuts as rules of a packet filter, and what a kernel that forbids namespaces is told apart by."""

from __future__ import annotations

import os

import pytest

from factorylab.cluster.base import Cut
from factorylab.cluster.network import netns
from factorylab.cluster.network.cuts import Drop, drops, iptables_rules, nft_rules


@pytest.mark.parametrize(
    ("cut", "wanted"),
    [
        (Cut(), [Drop("input", "10.0.0.2"), Drop("input", "10.0.0.3"), Drop("output", "10.0.0.2"),
                 Drop("output", "10.0.0.3")]),
        (Cut(direction="in"), [Drop("input", "10.0.0.2"), Drop("input", "10.0.0.3")]),
        (Cut(direction="out"), [Drop("output", "10.0.0.2"), Drop("output", "10.0.0.3")]),
        (Cut("everybody"), [Drop("input", None), Drop("output", None)]),
        (Cut("everybody", "in"), [Drop("input", None)]),
        (Cut("everybody", "out"), [Drop("output", None)]),
    ],
)  # fmt: skip
def test_what_a_cut_drops(cut: Cut, wanted: list[Drop]) -> None:
    """Each kind of cut drops the packets of its side and its direction, and no others."""
    assert drops([cut], ["10.0.0.2", "10.0.0.3"]) == wanted


def test_cuts_add_up() -> None:
    """Two cuts of one node drop what either drops, each once; none drops nothing."""
    both = drops([Cut(direction="in"), Cut("everybody", "out"), Cut(direction="in")], ["10.0.0.2"])
    assert both == [Drop("input", "10.0.0.2"), Drop("output", None)]
    assert drops([], ["10.0.0.2"]) == []


def test_rules_replace_what_was_there() -> None:
    """Both filters are told the whole truth at once, and loopback is spared."""
    wanted = [Drop("input", "10.0.0.2"), Drop("output", None)]
    assert iptables_rules(wanted) == (
        "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
        "-A INPUT -s 10.0.0.2 -j DROP\n-A OUTPUT ! -o lo -j DROP\nCOMMIT\n"
    )
    assert nft_rules(wanted) == (
        "table inet factorylab\ndelete table inet factorylab\ntable inet factorylab {\n"
        "chain input { type filter hook input priority 0;\nip saddr 10.0.0.2 drop\n}\n"
        'chain output { type filter hook output priority 0;\noifname != "lo" drop\n}\n}\n'
    )


@pytest.mark.parametrize("path", list(netns.SWITCHES))
def test_a_switched_off_kernel_is_told_apart(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each switch that forbids user namespaces is named with the command that turns it, but not to root."""
    wrong, hint = netns.SWITCHES[path]
    monkeypatch.setattr(netns, "_value_of", lambda asked: wrong if asked == path else "7")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert netns.way_out() == f"'{hint}' as root or run as root or use the backend compose"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "CAP_SYS_ADMIN" in netns.way_out() and "sysctl" not in netns.way_out()
