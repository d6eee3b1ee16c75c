"""A page taken apart: its elements, its text and its data, with the mistakes a browser would silently mend."""

import json
from html.parser import HTMLParser

VOID = {"br", "img", "input", "link", "meta", "path"}


class Page(HTMLParser):
    """Elements with their attributes, in order; raises on wrong nesting."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} repeats an attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("script", "style"):
            self.words.append(data)
        if self._open and self._open[-1] == "script" and self.elements[-1][1].get("id") == "data":
            self.data = json.loads(data)

    def all(self, tag, **attributes):
        return [own for name, own in self.elements if name == tag and attributes.items() <= own.items()]

    @property
    def sections(self):
        return [own["id"] for own in self.all("section")]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(path):
    return Page(path.read_text(encoding="utf-8"))
