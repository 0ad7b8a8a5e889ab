#!/bin/sh
# Believed: with `--dist loadgroup` all tests of one `xdist_group` run in the same worker process.
# Seen: with pytest 9.2.0 the mark does nothing, and nothing says so: tests of one group are spread over the workers, as
#   with `--dist load`. With pytest 9.1.1 and the same pytest-xdist they all run in one worker.
# Way out: pytest 9.1.1 or older; or a hook of one's own that sets the identity that pytest 9.2 reads.
# Versions: pytest 9.2.0 and 9.1.1, pytest-xdist 3.8.0 (the newest), CPython 3.11, Linux.
# Source: pytest-xdist hands the group to its scheduler as a suffix of the test's id, which it writes to `item._nodeid`
#   (pytest_collection_modifyitems in xdist/remote.py). Since pytest 9.2 `item.nodeid` is made of `item._id`
#   (src/_pytest/nodes.py), so the scheduler sees an id without a suffix.
# Matters: test suites whose groups share what only one process may own (a database, a port, a cluster): each worker
#   makes its own, or they get into each other's way.
#
# Needs python3 with venv and a package index for pip. Everything lies in a temporary folder. Exit code: 0 while it
# behaves so, 1 when it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

cat > "$work/test_group.py" <<'PYTHON'
import os
import time
from pathlib import Path

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_where(number):
    time.sleep(0.2)
    (Path(os.environ["SEEN"]) / f"{number}-{os.environ['PYTEST_XDIST_WORKER']}").touch()
PYTHON

# workers VERSION: how many workers ran the eight tests of one group
workers() {
    python3 -m venv "$work/venv-$1"
    "$work/venv-$1/bin/pip" install --quiet --disable-pip-version-check "pytest==$1" "pytest-xdist==3.8.0"
    mkdir "$work/seen-$1"
    (cd "$work" && SEEN="$work/seen-$1" "venv-$1/bin/python" -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider \
        test_group.py > "$work/log-$1" 2>&1) || { cat "$work/log-$1" >&2; exit 1; }
    [ "$(ls "$work/seen-$1" | wc -l)" = 8 ] || { echo "not all tests ran: this shows nothing" >&2; exit 1; }
    ls "$work/seen-$1" | sed 's/.*-//' | sort -u | wc -l
}

before=$(workers 9.1.1)
now=$(workers 9.2.0)
python3 --version
echo "pytest 9.1.1, pytest-xdist 3.8.0: one group of 8 tests in $before worker(s)"
echo "pytest 9.2.0, pytest-xdist 3.8.0: one group of 8 tests in $now worker(s)"
if [ "$before" = 1 ] && [ "$now" = 2 ]; then
    echo "as described"
else
    echo "NOT as described: it behaves otherwise now"
    exit 1
fi
