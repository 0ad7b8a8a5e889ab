"""Figures within a page: the same drawing in a fifth of the bytes, without what the page has once for all of them.

Matplotlib writes all looks of a line at each line, and coordinates with six decimals. Here looks are classes of the
page's one style sheet, paths are short (`short_path`), and ids get a prefix, since the figures of a page share names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, fromstring, tostring

from factorylab.report.short_path import short_path

LEFT_OUT = {"metadata", "style"}
FROM_THE_PAGE = {"font-family"}
_LONG = re.compile(r"-?\d+\.\d{2,}")
_NO_TURN = re.compile(r"rotate\(-?0[ )]")
_POINTED_AT = re.compile(r"#([A-Za-z][\w.-]*)")


class InlineFigures:
    """Makes SVG documents of matplotlib elements of one page; `css` holds the looks of all that were made so far."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        self._figures = 0

    @property
    def css(self) -> str:
        """A rule for each look, in the order in which they came."""
        return "".join(f".{name}{{{look}}}" for look, name in self._classes.items())

    def element(self, svg: str, alt: str) -> str:
        """The `<svg>` element of a document, with `alt` for those who do not see it. It scales with the page."""
        self._figures += 1
        root = fromstring(svg)
        pointed = dict.fromkeys(name for one in root.iter() for name in _pointed(one))
        ids = {name: f"f{self._figures}-{number}" for number, name in enumerate(pointed)}
        made = Element("svg", {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": alt})
        made.extend(self._settled(root, ids))
        return tostring(made, encoding="unicode").replace(" />", "/>")

    def _settled(self, parent: Element, ids: dict[str, str]) -> Iterator[Element]:
        """What `parent` holds, with short attributes; a group that changes nothing gives way to what it holds."""
        for one in parent:
            tag = _local(one.tag)
            given = self._attributes(one, ids)
            inner = [] if tag in LEFT_OUT else list(self._settled(one, ids))
            if tag == "g" and not given:
                yield from inner
            elif tag not in LEFT_OUT and (inner or tag not in {"g", "defs"}):
                made = Element(tag, given)
                made.text = (one.text or "").strip() or None
                made.extend(inner)
                yield made

    def _attributes(self, one: Element, ids: dict[str, str]) -> dict[str, str]:
        """Attributes without namespaces, the style as a class, and ids only where something points at them."""
        given = {_local(name): value for name, value in one.attrib.items()}
        look, hatch = _look(given.pop("style", ""))
        given |= {"style": hatch} if hatch else {}
        if given.get("id") not in ids:
            given.pop("id", None)
        if _NO_TURN.match(given.get("transform", "")):
            del given["transform"]
        short = {name: _short(name, value, ids) for name, value in given.items()}
        return short | ({"class": self._classes.setdefault(look, f"l{len(self._classes)}")} if look else {})


def file_of(svg: str, alt: str) -> str:
    """The same as a file of its own, with its looks in it."""
    made = InlineFigures()
    opening, _, drawing = made.element(svg, alt).removeprefix("<svg").partition(">")
    head = '<svg xmlns="http://www.w3.org/2000/svg" font-family="DejaVu Sans, sans-serif"'
    return f"{head}{opening}><style>{made.css}</style>{drawing}"


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _pointed(one: Element) -> Iterator[str]:
    """The ids that an element points at."""
    for name, value in one.attrib.items():
        if _local(name) == "href" or _points(value):
            yield from _POINTED_AT.findall(value)


def _points(value: str) -> bool:
    return "url(#" in value


def _look(style: str) -> tuple[str, str]:
    """A style as CSS that figures can share, and what points at the figure's own hatches; not what the page says."""
    rules = [rule.strip().replace(": ", ":") for rule in style.split(";") if rule.strip()]
    shared = [rule for rule in rules if rule.partition(":")[0] not in FROM_THE_PAGE and not _points(rule)]
    return ";".join(shared), ";".join(filter(_points, rules))


def _short(name: str, value: str, ids: dict[str, str]) -> str:
    if name == "id":
        return ids[value]
    if name == "d":
        return short_path(value)
    if name == "href" or _points(value):
        return _POINTED_AT.sub(lambda found: f"#{ids[found[1]]}", value)
    return _LONG.sub(lambda found: f"{float(found[0]):.1f}", value)
