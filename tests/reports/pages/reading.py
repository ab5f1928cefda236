"""Reading a page as a program does."""

from __future__ import annotations

from html.parser import HTMLParser

from aiohttp.test_utils import TestClient


class Elements(HTMLParser):
    """Tags and attributes of a page, and its addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.addresses: set[str] = set()
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((name, value or ""))
            if name in {"href", "src", "srcset", "action"}:
                self.addresses.add(value or "")
            if name == "id":
                self.ids.append(value or "")


async def read(client: TestClient, path: str, status: int = 200) -> str:
    response = await client.get(path)
    text = await response.text()
    assert response.status == status, f"{path}: {text}"
    return text
