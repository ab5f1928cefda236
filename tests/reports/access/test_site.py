from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.reports.access.site import Site, is_loopback, local_path

PIECES = st.sampled_from(
    ["/", "//", "\\", ".", "..", "@", ":", "https:", "evil.example", "%2f", "%5c", "\t", "?", "#", "a"]
)


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join)))
@example("/.//evil.example")
@example("/\\evil.example")
def test_local_path_stays_on_the_site_however_it_is_read(text: str) -> None:
    path = local_path(text)
    assert path in {"/", text}
    for browser_text in (path, path.replace("\\", "/"), path.replace("\t", "").replace("\n", "")):
        found = urlsplit(urljoin("https://usage.example.com/sign-in", browser_text))
        assert (found.scheme, found.netloc) == ("https", "usage.example.com")
        assert not found.path.startswith("//")


@pytest.mark.parametrize(
    "path", ["/", "/usage?product=wordpress&by=a,b#top", "/products/nginx", "/a/", "/?x=//y", "/~a;b!$'"]
)
def test_local_path_keeps_paths_of_the_site(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8081", "127.0.0.1", "127.1.2.3:1", "[::1]", "[::1]:80", "LocalHost"]
)
def test_this_machine_is_known_by_name_and_number(host: str) -> None:
    assert is_loopback(host)
    assert Site(None).knows(host)


def test_origin_is_that_of_the_site_or_of_the_host_on_this_machine() -> None:
    site = Site("https://usage.example.com:8443")
    assert site.is_own_origin("https://usage.example.com:8443", "usage.example.com:8443")
    assert site.is_own_origin("https://usage.example.com:8443", "127.0.0.1:8081"), "a proxy that puts in its own Host"
    assert site.is_own_origin("http://localhost:8081", "localhost:8081")
    for origin in ("https://usage.example.com", "http://usage.example.com:8443", "https://x.usage.example.com:8443"):
        assert not site.is_own_origin(origin, "usage.example.com:8443")
    assert not site.is_own_origin("http://evil.example", "evil.example")
    assert not site.is_own_origin("http://localhost:1", "localhost:8081")
    assert not Site(None).is_own_origin("None", "localhost")
    assert not site.is_own_origin("https://usage.example.com:8443", None)


def test_cookie_is_secure_exactly_behind_tls() -> None:
    assert Site("https://usage.example.com").is_secure
    assert not Site("http://localhost:8081").is_secure
    assert not Site(None).is_secure
