"""A cell that is stopped in a real kernel."""

from __future__ import annotations

import os
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.manager import start_new_kernel

from factorylab.core import environment

PATIENCE_S = 60
HANGS = """
import time
import factorylab as lab
from factorylab.cluster import backends

def hang(*given, **named):
    print("it hangs", flush=True)
    while True:
        time.sleep(0.05)

backends.bring_up = hang
lab.run(lab.scenario("baseline"))
"""


def test_a_stopped_run_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop button ends a run's cell with how the lab is left, and without a traceback; its news are one output that
    is replaced."""
    for name in ("HOME", "RESULTS"):
        monkeypatch.setenv(f"FACTORYLAB_{name}", str(tmp_path / name.lower()))
    own = environment.python() | {"IPYTHONDIR": str(tmp_path), "FACTORYLAB_BACKEND": "local"}
    del own["PYTHONSAFEPATH"]  # with it, ipykernel drops the entry of the path that leads here
    manager, client = start_new_kernel(PATIENCE_S, "python3", env=os.environ | own, cwd=str(tmp_path))
    try:
        request = client.execute(HANGS)
        seen = []
        while (message := client.get_iopub_msg(timeout=PATIENCE_S))["header"]["msg_type"] != "error":
            seen.append(message["header"]["msg_type"])
            if message["content"].get("text", "").startswith("it hangs"):
                manager.interrupt_kernel()
    except Empty:
        pytest.fail("the kernel says nothing")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert message["parent_header"]["msg_id"] == request and message["content"]["ename"] == "Interrupted"
    assert message["content"]["traceback"] == ["interrupted; the lab was healed and stopped"]
    assert seen.count("display_data") == 1 and "stream" in seen
