import time

import pytest

from stages.shared.progress import progress, transfer


class Clock:
    """Time as the test wants it to pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr("sys.stderr.isatty", lambda: False)


def test_a_log_shows_count_and_time_to_go_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    for _ in progress(iter(range(10)), "pages", total=10):
        clock.now += 4.0
    assert capsys.readouterr().out.splitlines() == [
        "pages: 3 of 10, 28 s to go",
        "pages: 6 of 10, 16 s to go",
        "pages: 9 of 10, 4 s to go",
    ]


def test_a_batch_counts_for_what_it_holds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(monkeypatch)
    for _ in progress(iter(["abcd", "ef", "ghij"]), "letters", total=10, size=len):
        clock.now += 12.0
    assert capsys.readouterr().out.splitlines() == [
        "letters: 4 of 10, 18 s to go",
        "letters: 6 of 10, 16 s to go",
        "letters: 10 of 10, 0 s to go",
    ]


def test_a_log_shows_bytes_speed_and_time_to_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with transfer("file", total=100_000_000, done=40_000_000) as arrived:
        for _ in range(4):
            clock.now += 5.0
            arrived(10_000_000)
    assert capsys.readouterr().out.splitlines() == [
        "file: 60.0 of 100.0 MB, 2.00 MB/s, 20 s to go",
        "file: 80.0 of 100.0 MB, 2.00 MB/s, 10 s to go",
    ]


def test_a_transfer_of_unknown_size_names_no_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with transfer("file", total=None) as arrived:
        clock.now += 10.0
        arrived(5_000_000)
    assert capsys.readouterr().out == "file: 5.0 MB, 0.50 MB/s\n"
