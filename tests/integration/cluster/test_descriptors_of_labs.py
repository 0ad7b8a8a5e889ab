"""Open files of a lab's processes."""

from __future__ import annotations

import subprocess
import sys

from factorylab.core import environment


def test_a_lab_takes_what_it_may() -> None:
    """A shell that grants few and allows more: a lab's processes have what is allowed."""
    program = (
        "import resource; from factorylab.cluster import descriptors as d;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300)); d.take_all();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment.python(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(300, 300)"
