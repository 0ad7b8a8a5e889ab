"""What a page of HTML holds."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects links, sources, ids, what parts of figures point at, alternative texts and all words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.pointed: list[str] = []
        self.images = self.described = 0
        self.words = ""
        self.feed(text)

    @property
    def sections(self) -> list[str]:
        """The runs that have a section."""
        return [name.removeprefix("run-") for name in self.ids if name.startswith("run-")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "use":
            self.pointed.append(given["href"])
            return
        self.links += [given[name] for name in ("src", "href", "srcset", "data", "action", "poster") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        self.images += tag in {"img", "svg"}
        self.described += bool(given.get("alt")) or (given.get("role") == "img" and bool(given.get("aria-label")))
        assert not any(name.startswith("on") for name in given), f"{tag} has a handler"
        assert tag not in {"script", "link", "iframe", "object"}

    def handle_data(self, data: str) -> None:
        self.words += data
