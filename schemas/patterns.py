"""Whether a field's new format still takes every text that the old one took, decided and not guessed.

A format here is a whole pattern (`^...$`) of characters, `[classes]`, (groups), `|`, `*`, `+`, `?` and `{n,m}`: a
regular language. Both are walked side by side by their partial derivatives (Antimirov, 1996), one character at a
time; what the old one takes at the end of a walk and the new one does not is the shortest such text. A pattern
of anything else is refused by name, so that nothing is believed that was not understood.
"""

from __future__ import annotations

import re
import string
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

# Every ASCII character that prints, and two that stand for all the others.
_ALPHABET = string.digits + string.ascii_letters + string.punctuation + " \n\u00e9"
_COUNT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|[*+?]")
_SPECIAL = set(r"\[]{}()*+?|^$")


@dataclass(frozen=True)
class _Empty:
    """The empty text."""


@dataclass(frozen=True)
class _One:
    """One character of these."""

    of: frozenset[str]


@dataclass(frozen=True)
class _Then:
    """One after the other."""

    first: _Term
    rest: _Term


@dataclass(frozen=True)
class _Either:
    """Any of these."""

    of: frozenset[_Term]


@dataclass(frozen=True)
class _Times:
    """From `least` to `most` times; for ever if there is no most."""

    what: _Term
    least: int
    most: int | None


_Term: TypeAlias = _Empty | _One | _Then | _Either | _Times
_States: TypeAlias = frozenset[_Term]


def refused_by(after: str, before: str, most_length: int) -> str | None:
    """The shortest text of at most this length that `before` takes and `after` refuses; None if there is none.

    Raises:
        ValueError: one of the two is not such a pattern.
    """
    old, new = _read(before), _read(after)
    alphabet = _representatives(old, new)
    start = (frozenset({old}), frozenset({new}))
    seen, waiting = {start}, deque([(start, "")])
    while waiting:
        (olds, news), text = waiting.popleft()
        if any(map(_may_end, olds)) and not any(map(_may_end, news)):
            return text
        if len(text) == most_length:
            continue
        for character in alphabet:
            pair = (_after(olds, character), _after(news, character))
            if pair[0] and pair not in seen:
                seen.add(pair)
                waiting.append((pair, text + character))
    return None


def _representatives(*terms: _Term) -> list[str]:
    """One character for each set of characters that no class tells apart."""
    classes = [one for term in terms for one in _classes(term)]
    found: dict[tuple[bool, ...], str] = {}
    for character in _ALPHABET:
        found.setdefault(tuple(character in one for one in classes), character)
    return list(found.values())


def _classes(term: _Term) -> list[frozenset[str]]:
    match term:
        case _One(of):
            return [of]
        case _Then(first, rest):
            return _classes(first) + _classes(rest)
        case _Either(terms):
            return [one for each in terms for one in _classes(each)]
        case _Times(what):
            return _classes(what)
        case _Empty():
            return []


def _after(states: _States, character: str) -> _States:
    return frozenset(left for state in states for left in _left(state, character))


@cache
def _left(term: _Term, character: str) -> _States:
    """What may follow in `term` once `character` was read."""
    match term:
        case _Empty():
            return frozenset()
        case _One(of):
            return frozenset({_Empty()}) if character in of else frozenset()
        case _Either(terms):
            return _after(terms, character)
        case _Then(first, rest):
            left = frozenset(_then(each, rest) for each in _left(first, character))
            return left | _left(rest, character) if _may_end(first) else left
        case _Times(what, least, most):
            again = _times(what, max(least - 1, 0), None if most is None else most - 1)
            return frozenset(_then(each, again) for each in _left(what, character))


@cache
def _may_end(term: _Term) -> bool:
    match term:
        case _Empty():
            return True
        case _One():
            return False
        case _Either(terms):
            return any(map(_may_end, terms))
        case _Then(first, rest):
            return _may_end(first) and _may_end(rest)
        case _Times(what, least):
            return least == 0 or _may_end(what)


def _then(first: _Term, rest: _Term) -> _Term:
    if isinstance(first, _Empty):
        return rest
    return first if isinstance(rest, _Empty) else _Then(first, rest)


def _times(what: _Term, least: int, most: int | None) -> _Term:
    return _Empty() if most == 0 else _Times(what, least, most)


def _read(pattern: str) -> _Term:
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise ValueError(f"not a whole pattern: {pattern}")
    term, left = _either(pattern[1:-1])
    if left:
        raise ValueError(f"not a pattern that can be compared: {pattern}")
    return term


def _either(text: str) -> tuple[_Term, str]:
    term, text = _sequence(text)
    terms = {term}
    while text.startswith("|"):
        term, text = _sequence(text[1:])
        terms.add(term)
    return (_Either(frozenset(terms)) if len(terms) > 1 else term), text


def _sequence(text: str) -> tuple[_Term, str]:
    items: list[_Term] = []
    while text and text[0] not in "|)":
        item, text = _item(text)
        count = _COUNT.match(text)
        if count:
            item, text = _times(item, *_bounds(count)), text[count.end() :]
        items.append(item)
    term: _Term = _Empty()
    for item in reversed(items):
        term = _then(item, term)
    return term, text


def _bounds(count: re.Match[str]) -> tuple[int, int | None]:
    if count[1] is None:
        bounds: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        return bounds[count[0]]
    least = int(count[1])
    if not count[2]:
        return least, least
    return least, int(count[3]) if count[3] else None


def _item(text: str) -> tuple[_Term, str]:
    if text.startswith("(") and not text.startswith("(?"):
        term, text = _either(text[1:])
        if not text.startswith(")"):
            raise ValueError("a group that does not close")
        return term, text[1:]
    one = re.match(r"\[(?:\\.|[^\]\\])+\]|\\[^0-9A-Za-z]|[^\\]", text)
    if one is None or (len(one[0]) == 1 and one[0] in _SPECIAL):
        raise ValueError(f"not a pattern that can be compared: {text}")
    compiled = re.compile(one[0])
    return _One(frozenset(filter(compiled.fullmatch, _ALPHABET))), text[one.end() :]
