"""What changes from one policy to another, in plain words for somebody who has to agree to it.

Pure. Permits are compared field by field and source by source, so that it does not matter how they are grouped
in the file; sources for which the same changes are told together. Order and comments of a file mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from schemas.policy import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.policy import Clause, Permit, Policy

# more: more may leave a machine, or is kept or permitted longer. less: the contrary. words: a paragraph or its answer
# changes, which only a reader can judge. none: who answers for it, and when it was looked at.
Effect = Literal["more", "less", "words", "none"]
EFFECTS: dict[Effect, str] = {
    "more": "More may leave a machine, or stays longer",
    "less": "Less may leave a machine, or stays shorter",
    "words": "Words of the policy, to be judged by a reader",
    "none": "Who answers for it, and when it was reviewed",
}
_SOURCES: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: what changed, such as `field permitted`, `retention_days` or `paragraph added`.
        about: the field, the paragraph's id, or the policy's entry.
        sources: for a field, where it comes from.
        effect: which way it goes.
        says: the change as a sentence.
        before: what stood there, empty if nothing did.
        after: what stands there now.
    """

    kind: str
    about: str
    sources: tuple[Source, ...]
    effect: Effect
    says: str
    before: str = ""
    after: str = ""


def changes(before: Policy, after: Policy) -> list[Change]:
    """Every difference: of the fields first, then of the paragraphs, then of the policy's own entries."""
    return [*_of_fields(before, after), *_of_paragraphs(before, after), *_of_identity(before, after)]


def notes(before: Policy, after: Policy, found: list[Change]) -> list[str]:
    """What a reader should know about the two as a whole."""
    told = []
    if before.id != after.id:
        told.append(f"These are two policies, {before.id} and {after.id}, not two states of one.")
    worded = any(change.kind in {"paragraph added", "paragraph removed", "says"} for change in found)
    if worded and before.dated == after.dated:
        told.append(f"Paragraphs change, and the policy's date stays {after.dated}.")
    if found and before.revision >= after.revision and before.id == after.id:
        told.append(f"The revision does not go up: {before.revision} before, {after.revision} now.")
    return told


def _of_fields(before: Policy, after: Policy) -> Iterator[Change]:
    names = dict.fromkeys(permit.field for permit in (*before.permits_, *after.permits_))
    for name in names:
        by_source: dict[tuple[str, Effect, str, str, str], list[Source]] = {}
        for source in _SOURCES:
            for change in _of_permit(before.permit(source, name), after.permit(source, name)):
                by_source.setdefault(change, []).append(source)
        for (kind, effect, sentence, old, new), sources in by_source.items():
            subject = f"`{name}` from {', '.join(sources)}"
            yield Change(kind, name, tuple(sources), effect, f"{subject} {sentence}", old, new)


# Kind, effect, the sentence without its subject, before, after.
_Told = tuple[str, Effect, str, str, str]


def _of_permit(before: Permit | None, after: Permit | None) -> Iterator[_Told]:
    was, now = before is not None and not before.withdrawn, after is not None and not after.withdrawn
    if after is None:
        if before is not None:
            end = "and a collector whose reports have this field does not start; `withdrawn = true` would blank it"
            yield "permit removed", "less", f"has no permit any more, {end}.", _terms(before), ""
        return
    if now and not was:
        again = "again " if before is not None else ""
        yield "field permitted", "more", f"may {again}leave the machine: {_terms(after)}", "", _terms(after)
    elif was and not now and before is not None:
        end = "It is left empty on arrival; the report still counts."
        yield "field withdrawn", "less", f"is withdrawn. {end}", _terms(before), ""
    elif before is None:
        yield "field named", "none", "is named, and withdrawn from the start.", "", ""
    if before is not None:
        yield from _of_terms(before, after)


def _terms(permit: Permit) -> str:
    return (
        f"{permit.purpose} By paragraph `{permit.clause}` ({permit.basis}), kept {permit.retention_days} days at most, "
        f"until {permit.expires}; {permit.owner} answers for it."
    )


def _of_terms(before: Permit, after: Permit) -> Iterator[_Told]:
    for entry, verb in (("clause", "is permitted by paragraph"), ("basis", "is permitted on the basis")):
        old, new = str(getattr(before, entry)), str(getattr(after, entry))
        if old != new:
            yield entry, "words", f"{verb} `{new}`, before `{old}`.", old, new
    if before.signed_off_by != after.signed_off_by:
        old, new = before.signed_off_by or "nobody", after.signed_off_by or "nobody"
        yield "signed_off_by", "words", f"is signed off by {new}, before by {old}.", old, new
    if before.purpose != after.purpose:
        sentence = f'is for another purpose: "{after.purpose}", before "{before.purpose}"'
        yield "purpose", "words", sentence, before.purpose, after.purpose
    if before.retention_days != after.retention_days:
        sentence = f"is kept {after.retention_days} days at most, before {before.retention_days}."
        longer: Effect = "more" if after.retention_days > before.retention_days else "less"
        yield "retention_days", longer, sentence, str(before.retention_days), str(after.retention_days)
    yield from _of_dates(before, after)
    if before.owner != after.owner:
        yield "owner", "none", f"is answered for by {after.owner}, before by {before.owner}.", before.owner, after.owner


def _of_dates(before: Permit, after: Permit) -> Iterator[_Told]:
    reviewed = after.last_review > before.last_review
    if before.expires != after.expires:
        how = "after a review" if reviewed else "without a new review"
        longer: Effect = "more" if after.expires > before.expires else "less"
        sentence = f"is permitted until {after.expires}, before until {before.expires}, {how}."
        yield "expires", longer, sentence, before.expires.isoformat(), after.expires.isoformat()
    if before.last_review != after.last_review:
        old, new = before.last_review.isoformat(), after.last_review.isoformat()
        yield "last_review", "none", f"was last reviewed on {new}, before on {old}.", old, new


def _of_paragraphs(before: Policy, after: Policy) -> Iterator[Change]:
    old = {clause.id: clause for clause in before.clauses}
    new = {clause.id: clause for clause in after.clauses}
    for name, clause in new.items():
        if name not in old:
            sentence = f'Paragraph `{name}` is new: "{clause.says}" Here: {clause.status}, {_answer(clause)}.'
            yield Change("paragraph added", name, (), "words", sentence, "", clause.says)
        else:
            yield from _of_paragraph(old[name], clause)
    for name, clause in old.items():
        if name not in new:
            sentence = f'Paragraph `{name}` is gone; it said: "{clause.says}"'
            yield Change("paragraph removed", name, (), "words", sentence, clause.says, "")


def _of_paragraph(before: Clause, after: Clause) -> Iterator[Change]:
    name = after.id
    if before.says != after.says:
        sentence = f'Paragraph `{name}` says: "{after.says}" Before: "{before.says}"'
        yield Change("says", name, (), "words", sentence, before.says, after.says)
    if before.status != after.status:
        sentence = f"Paragraph `{name}` is {after.status} here, before {before.status}."
        yield Change("status", name, (), "words", sentence, before.status, after.status)
    if _answer(before) != _answer(after):
        sentence = f"Paragraph `{name}` is answered by {_answer(after)}, before by {_answer(before)}."
        yield Change("answer", name, (), "words", sentence, _answer(before), _answer(after))


def _answer(clause: Clause) -> str:
    parts = [f"`{test}`" for test in clause.by] + [f'"{clause.why}"'] * bool(clause.why)
    return " and ".join(parts) or "nothing"


def _of_identity(before: Policy, after: Policy) -> Iterator[Change]:
    for entry, word in (
        ("id", "name"),
        ("title", "title"),
        ("dated", "date"),
        ("contact", "contact"),
        ("url", "address"),
    ):
        old, new = str(getattr(before, entry)), str(getattr(after, entry))
        if old != new:
            yield Change(entry, entry, (), "words", f"The policy's {word} is {new}, before {old}.", old, new)
