import pytest

from stages.shared.errors import StageError
from stages.shared.parallel import map_ordered, worker_count


def square(x: int) -> int:
    return x * x


@pytest.mark.parametrize("workers", ["1", "2", "3"])
@pytest.mark.parametrize("chunk_size", [1, 7, 100])
def test_results_come_in_order_whatever_the_workers(
    monkeypatch: pytest.MonkeyPatch, workers: str, chunk_size: int
) -> None:
    monkeypatch.setenv("XTALK_WORKERS", workers)
    assert list(map_ordered(square, range(50), chunk_size, "squares")) == [x * x for x in range(50)]
    assert list(map_ordered(square, [], chunk_size, "squares")) == []


def test_a_senseless_worker_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "many")
    with pytest.raises(StageError, match="XTALK_WORKERS is 'many'"):
        worker_count()
