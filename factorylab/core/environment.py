"""What the lab's own processes get of this process's environment: where things are, never what is to be done.

Variables are passed by name, so one that nobody has thought of is left out. An empty variable is an unset one.

    tool      a program of the system (git, java, postgres)
    python    a process of this package: the supervisor, the probe, fleets, processors
    docker    Docker's command line, and who looks for its engine
    driver    the kernel of a notebook that drives a lab: python, docker, and the way to downloads
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

PLACES = ("HOME", "TMPDIR", "XDG_CACHE_HOME")
LANGUAGE = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES")  # they decide how names of files are encoded
ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR")
IMAGES = ("KAFKA_IMAGE", "POSTGRES_IMAGE", "FACTORYLAB_IMAGE", "FACTORYLAB_NETFAULT_IMAGE", "PYTHON_IMAGE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PACKAGE_HOME = str(Path(__file__).parents[2])


def given(*names: str) -> dict[str, str]:
    """Those of the variables that this process has."""
    return {name: value for name in names if (value := os.environ.get(name))}


def tool() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath)} | given(*PLACES, *LANGUAGE)


def python() -> dict[str, str]:
    """With this very package importable, nothing that lies in the folder where the process happens to start, and UTF-8
    in files and their names, whatever the locale."""
    return tool() | {"TZ": "UTC", "PYTHONPATH": PACKAGE_HOME, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}


def docker() -> dict[str, str]:
    return tool() | given(*ENGINE)


def driver() -> dict[str, str]:
    """Without PYTHONSAFEPATH: with it, ipykernel takes our entry of the path for the current folder and drops it."""
    found = python() | docker() | given(*IMAGES, *PROXIES, *CERTIFICATES)
    del found["PYTHONSAFEPATH"]
    return found


def forget_foreign() -> None:
    """Free this process, a command of the lab, from what would change its figures, or turn a warning into an error."""
    os.environ.pop("MPLBACKEND", None)
    if os.environ.pop("PYTHONWARNINGS", None):
        warnings.resetwarnings()
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
