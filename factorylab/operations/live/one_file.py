"""The page with its moments in one HTML file, whose policy allows the scripts and styles in it and no other."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from factorylab.operations.live.moments import Moment

PAGE = Path(__file__).parent / "page"
LINK = re.compile(r'<link rel="stylesheet" href="page/([\w./-]+)">')
SCRIPT = re.compile(r'<script src="page/([\w./-]+)"></script>')


def one_file(setup: dict[str, Any], moments: list[Moment]) -> str:
    """The page as one text; `setup` is what the server would say of itself. With `fed` in it the page gets its moments
    from whoever shows it in a frame."""
    text = (PAGE / "index.html").read_text()
    styles = {name: (PAGE / name).read_text() for name in LINK.findall(text)}
    scripts = {name: (PAGE / name).read_text() for name in SCRIPT.findall(text)}
    kept = msgspec.json.encode({"setup": setup, "moments": moments}).decode().replace("<", "\\u003c")
    text = LINK.sub(lambda found: f"<style>{styles[found[1]]}</style>", text)
    text = SCRIPT.sub(lambda found: f"<script>{scripts[found[1]]}</script>", text)
    data = f'<script type="application/json" id="kept">{kept}</script>'
    text = text.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{_policy(styles, scripts)}', 1)
    return text.replace("</main>\n", f"</main>\n{data}\n", 1)


def _policy(styles: dict[str, str], scripts: dict[str, str]) -> str:
    content = (
        f"default-src 'none'; script-src {_digests(scripts)}; style-src {_digests(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{content}">'


def _digests(texts: dict[str, str]) -> str:
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts.values()
    )
