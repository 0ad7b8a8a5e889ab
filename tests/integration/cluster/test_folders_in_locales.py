"""Names of folders in every locale."""

from __future__ import annotations

import json
import subprocess
import sys

from factorylab.core import environment


def test_names_are_utf_8_in_every_locale(tmp_path):
    """Where Python would take names for ASCII a command takes them for UTF-8 all the same."""
    home = tmp_path / "Prüfstand 7"
    words = [sys.executable, "-m", "factorylab", "status", "--json"]
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "FACTORYLAB_HOME": str(home)}
    done = subprocess.run(words, env=environment.python() | plain, capture_output=True, check=True)
    assert json.loads(done.stdout)["home"] == str(home)
