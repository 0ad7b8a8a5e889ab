"""A run's progress in a notebook."""

from __future__ import annotations

import pytest

from factorylab.execution.interrupt import Interrupted
from factorylab.execution.status_line import StatusLine, narrator


def test_the_last_news_stands_alone() -> None:
    """Each piece of news replaces the one before, which stays to be unfolded; nothing in it is taken for HTML."""
    shown: list[dict[str, str]] = []
    line = StatusLine(shown.append)
    line.say("steady: 8 s")
    line.say("broker-1 <is> dead")
    assert [one["text/plain"].rpartition(" (after")[0] for one in shown] == ["steady: 8 s", "broker-1 <is> dead"]
    assert "<strong>broker-1 &lt;is&gt; dead</strong>" in shown[1]["text/html"]
    assert "<pre>steady: 8 s\nbroker-1 &lt;is&gt; dead</pre>" in shown[1]["text/html"]


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in a piece of news is masked."""
    shown: list[dict[str, str]] = []
    StatusLine(shown.append).say("no answer from postgresql://lab:swordfish@127.0.0.1/lab")
    assert "swordfish" not in str(shown) and "***" in str(shown)


def test_outside_a_notebook_news_are_printed() -> None:
    """A script, and a notebook that is run for its output, print line after line."""
    assert narrator(driven=False) is print and narrator(driven=True) is print


def test_what_stopped_a_cell_is_shown_as_a_sentence() -> None:
    """IPython asks the error itself for its traceback, and gets the sentence."""
    assert Interrupted("interrupted; the lab was healed")._render_traceback_() == ["interrupted; the lab was healed"]
