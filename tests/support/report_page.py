"""What a page of HTML holds."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects links, sources, ids, alternative texts and all words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images = self.described = 0
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.links += [given[name] for name in ("src", "href", "srcset", "data", "action", "poster") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        self.images += tag == "img"
        self.described += tag == "img" and bool(given.get("alt"))
        assert tag not in {"script", "link", "iframe", "object"}

    def handle_data(self, data: str) -> None:
        self.words += data
