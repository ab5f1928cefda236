"""Whenever the power fails, and whatever the disk had not yet written, nothing acknowledged is lost.

The life of a spool in `scenario.py` runs once, and every system call that it makes is recorded. Then for every
moment of it and every disk that a power cut at that moment can leave (`disk_model.py`, with its bound), the disk
is built, a real SegmentWriter starts on it, and what it has sealed is compared with what was acknowledged.
The engine's own files are left out: what it loaded is taken to be safe, and that it syncs before the segment
goes is a test of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from collector.ingest.segment import OPEN, SEALED, day_of, segments
from collector.ingest.spool import SegmentWriter
from tests.conftest import PROJECT
from tests.crash import strace
from tests.crash.disk_model import Disk, Tree
from tests.crash.recording import CALLS, Append, Mark, Operation, Sync, Unlink, operations
from tests.crash.scenario import STAGES, WORKER

Rows = frozenset[bytes]


@dataclass
class Recording:
    """What the stages did, and where they did it."""

    root: Path
    operations: list[Operation] = field(default_factory=list)
    calls: dict[str, list[strace.Call]] = field(default_factory=dict)

    @property
    def spool(self) -> str:
        return f"{self.root}/data/spool/{WORKER}"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """All stages, one after the other on one data directory, recorded."""
    directory = tmp_path_factory.mktemp("power-cut")
    made = Recording(directory / "disk")
    made.root.mkdir()
    for stage, (_, faults) in STAGES.items():
        trace = directory / f"{stage}.trace"
        program = [sys.executable, "-m", "tests.crash.scenario", stage, str(made.root / "data")]
        ended = subprocess.run(
            [*strace.command(trace, CALLS, *faults), *program], cwd=PROJECT, capture_output=True, check=False
        )
        assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr.decode()
        made.calls[stage] = strace.read(trace)
        made.operations += operations(made.calls[stage], made.root, made.root / "data" / "engine")
    return made


@dataclass
class Promise:
    """What must hold at one moment of the recording."""

    written: set[bytes] = field(default_factory=set)  # or about to be
    acknowledged: set[bytes] = field(default_factory=set)
    loaded: set[bytes] = field(default_factory=set)
    handed_over: set[str] = field(default_factory=set)  # names of segments, since the writer returned
    deleted: set[str] = field(default_factory=set)

    def take(self, operation: Operation, disk: Disk, spool: str) -> None:
        """Takes one operation in, before the disk does."""
        match operation:
            case Mark(said):
                self.written |= {row.encode() for row in said.get("writing", ())}
                self.acknowledged |= {row.encode() for row in said.get("acknowledged", ())}
                self.handed_over |= {
                    path.removeprefix(f"{spool}/{SEALED}/") for path in disk.live() if f"/{SEALED}/" in path
                }
            case Unlink(path) if f"/{SEALED}/" in path:
                self.loaded |= set(disk.content(path).splitlines(keepends=True))
                self.deleted.add(os.path.basename(path))  # noqa: PTH119 - a name in a trace


def moments(recording: Recording) -> Iterator[tuple[int, Promise, Disk]]:
    """The disk and the promise after each operation."""
    disk, promise = Disk(str(recording.root)), Promise()
    yield 0, promise, disk
    for number, operation in enumerate(recording.operations, 1):
        promise.take(operation, disk, recording.spool)
        if not isinstance(operation, Mark):
            disk.do(operation)
        yield number, promise, disk


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that is quick to write, where there is one."""
    shared = Path("/dev/shm")  # noqa: S108 - a file system, no file name to guess
    made = Path(tempfile.mkdtemp(dir=shared if os.access(shared, os.W_OK) else None))
    yield made
    shutil.rmtree(made)


def recovered(tree: Tree, root: Path) -> list[tuple[str, bytes]]:
    """What is sealed, name and content, after a worker has started on this disk."""
    (root / "data").mkdir(parents=True)
    for directory in sorted(tree.directories):
        (root / directory).mkdir(exist_ok=True)
    names: dict[int, Path] = {}
    for path, number, content in sorted(tree.files):
        if number in names:
            (root / path).hardlink_to(names[number])
        else:
            names[number] = root / path
            names[number].write_bytes(content)
    spool = root / "data" / "spool"
    for again in (False, True):
        writer = SegmentWriter(spool / WORKER, seal_after_bytes=1 << 20, reserve_percent=0)
        assert not (again and writer.recovered_rows), "a second start found something to recover"
    assert not list(segments(spool, OPEN)), "something stayed open"
    sealed = [(path.name, path.read_bytes()) for path in segments(spool, SEALED)]
    shutil.rmtree(root)
    return sealed


def check(tree: Tree, sealed: list[tuple[str, bytes]], promise: Promise, spool: str) -> None:
    rows = [row for _, content in sealed for row in content.splitlines(keepends=True)]
    assert set(rows) <= promise.written, "a row that nobody wrote"
    assert promise.acknowledged - promise.loaded <= set(rows), "an acknowledged row is gone"
    for name, content in sealed:
        assert all(orjson.loads(row)["received_on"] == str(day_of(Path(name))) for row in content.splitlines())
    paths = {path for path, _, _ in tree.files}
    for name in promise.handed_over:
        assert f"{spool}/{OPEN}/{name}" not in paths, "a segment that was sealed is open again"
        assert f"{spool}/{SEALED}/{name}" in paths or name in promise.deleted, "a sealed segment is gone"


def told(recording: Recording, number: int, tree: Tree, error: Exception) -> str:
    """What went wrong when, short enough to read."""
    said = next(iter(str(error).splitlines()), "")
    lines = [f"after the power cut: {type(error).__name__} {said}", "done until then, the last few:"]
    lines += [f"  {str(operation)[:240]}" for operation in recording.operations[max(0, number - 8) : number]]
    lines += ["left on the disk:"]
    lines += [f"  {path} (file {node}): {len(content)} bytes" for path, node, content in sorted(tree.files)]
    return "\n".join(lines)


def test_power_cut_at_any_moment_loses_nothing_acknowledged_and_invents_nothing(
    recording: Recording, memory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known: dict[Tree, list[tuple[str, bytes]]] = {}
    spool = os.path.relpath(recording.spool, recording.root)
    disks = 0
    for number, promise, disk in moments(recording):
        for tree in disk.after_a_power_cut():
            disks += 1
            try:
                if tree not in known:
                    known[tree] = recovered(tree, memory / "disk")
                check(tree, known[tree], promise, spool)
            except Exception as error:  # noqa: BLE001 - whatever a start on this disk raises is what we look for
                pytest.fail(told(recording, number, tree, error), pytrace=False)
    with capsys.disabled():
        print(f"\n{len(recording.operations)} operations, {disks} disks after a power cut, {len(known)} different")  # noqa: T201
    assert disks > 5000


def test_recording_holds_what_it_is_meant_to(recording: Recording) -> None:
    """Each stage met the failure that it is about; without that the test above would prove less than it says."""
    marks = {
        stage: [op.said for op in operations(calls, recording.root, recording.root) if isinstance(op, Mark)]
        for stage, calls in recording.calls.items()
    }
    refused = {stage: [said["refused"] for said in told if "refused" in said] for stage, told in marks.items()}
    assert {stage: answers for stage, answers in refused.items() if answers} == {
        "short": ["spool_full"] * 3,
        "unsynced": ["unavailable"] * 2,
    }
    assert "writing" in marks["torn"][-1], "was not killed in the middle of an append"
    acknowledged = {row for told in marks.values() for said in told for row in said.get("acknowledged", ())}
    assert marks["loading"][-1]["loaded"] >= len(acknowledged) - 5 > 15
    deleted = [op for op in recording.operations if isinstance(op, Unlink) and f"/{SEALED}/" in op.path]
    assert len(deleted) == 9


def test_segment_is_never_written_to_after_a_failed_sync(recording: Recording) -> None:
    failed = [n for n, op in enumerate(recording.operations) if isinstance(op, Sync) and not op.succeeded]
    for n in failed:
        path = recording.operations[n].path
        assert not [op for op in recording.operations[n:] if isinstance(op, Append) and op.path == path]
    assert len(failed) == 2


def test_segment_is_deleted_only_after_the_engine_synced_its_rows(recording: Recording) -> None:
    """Between the reading and the deletion of a segment: the part's data, then its name, then that name's directory."""
    calls = [call for call in recording.calls["loading"] if call.succeeded]
    syncs = [call for call in calls if call.name in {"fsync", "fdatasync"}]
    renames = [call for call in calls if call.name.startswith("rename")]
    deletions = [call for call in calls if call.name.startswith("unlink") and f"/{SEALED}/" in call.paths[0]]
    for gone in deletions:
        opened = [
            c.began for c in calls if c.name.startswith("open") and c.paths == gone.paths and c.ended < gone.began
        ]
        part = next(c for c in renames if c.began > max(opened) and Path(c.paths[0]).name.startswith("tmp_insert_"))
        table = str(Path(part.paths[0]).parent)
        assert [c for c in syncs if c.descriptors == [f"{part.paths[0]}/data.bin"] and c.ended < part.began]
        assert [c for c in syncs if c.descriptors == [table] and part.ended < c.began and c.ended < gone.began]
    assert len(deletions) == 9
