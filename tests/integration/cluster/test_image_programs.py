"""What the programs of an image load when they start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from factorylab.cluster.docker import images
from factorylab.core.programs import FLEET, OF_IMAGES, PROCESSOR, SHARE_WORKER

PACKAGES = {FLEET: f"{FLEET}.fleet", PROCESSOR: f"{PROCESSOR}.processor", SHARE_WORKER: f"{SHARE_WORKER}.worker"}


def module_of(program: str) -> str:
    """Where the code of a program stands: that of a package is run by its `__main__`."""
    return PACKAGES.get(program, program)


@pytest.mark.parametrize("program", OF_IMAGES)
def test_the_code_that_is_compared_is_what_workers_run(program: str) -> None:
    """Every file of the package that Python loads for a program belongs to what an image is checked for, and so does
    the `__main__` of one that is a package."""
    module = module_of(program)
    code = f"import sys, {module}; print(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {
        str(Path(f).relative_to(images.PACKAGE)) for f in done.stdout.split() if f.startswith(f"{images.PACKAGE}/")
    }
    assert {"__init__.py", module.partition(".")[2].replace(".", "/") + ".py"} <= loaded <= images.code_here().keys()
    assert module == program or program.partition(".")[2].replace(".", "/") + "/__main__.py" in images.code_here()


def test_programs_load_what_they_need_at_once_alone() -> None:
    """Neither the code that reads recordings nor what only a host has is loaded when a program of the image starts."""
    code = f"import sys, {', '.join(map(module_of, OF_IMAGES))}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "confluent_kafka" in done.stdout.split()
    assert not {"pandas", "pyarrow", "psutil", "docker"} & set(done.stdout.split())
