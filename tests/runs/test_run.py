"""The run cache gives back what was put in, and never anything else."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.runs.run import Request, Run, RunCache

REQUEST = Request(
    demo="coin",
    params=(("rate", 0.5),),
    seed=1000,
    code="c0de",
    data=(("digits", "da7a"),),
    device="cpu",
    torch="2.13",
)
RUN = Run({"heads": 1, "shape": (2, 3), "error": "none"}, 0.25, "2026-11-21T00:00:00+00:00")


@pytest.fixture
def cache(tmp_path: Path) -> RunCache:
    return RunCache(tmp_path / "runs")


def entry_of(cache: RunCache) -> Path:
    (path,) = cache.folder.rglob("*.json")
    return path


def test_a_run_is_remembered(cache: RunCache) -> None:
    cache.put(REQUEST, RUN)

    assert cache.get(REQUEST) == RUN


@pytest.mark.parametrize(
    "change",
    [
        {"demo": "dice"},
        {"params": (("rate", 0.25),)},
        {"params": (("rate", "0.5"),)},
        {"seed": 1001},
        {"code": "other"},
        {"data": (("digits", "more"),)},
        {"device": "cuda"},
        {"torch": "2.14"},
    ],
)
def test_a_run_is_asked_for_by_everything_it_depends_on(
    cache: RunCache, change: dict[str, Any]
) -> None:
    from dataclasses import replace

    cache.put(REQUEST, RUN)

    assert cache.get(replace(REQUEST, **change)) is None


@pytest.mark.slow
@given(
    st.dictionaries(
        st.text(),
        st.integers() | st.floats(allow_nan=False) | st.booleans() | st.text(),
    )
)
def test_any_metrics_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, metrics: dict[str, Any]
) -> None:
    cache = RunCache(tmp_path_factory.mktemp("runs"))
    run = Run(metrics | {"error": "none"}, 1.0, "now")

    cache.put(REQUEST, run)

    assert cache.get(REQUEST) == run


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"key": "other"}'])
def test_a_damaged_entry_is_ignored_with_a_warning(cache: RunCache, damage: bytes) -> None:
    cache.put(REQUEST, RUN)
    entry_of(cache).write_bytes(damage)

    with pytest.warns(UserWarning, match="damaged entry ignored"):
        assert cache.get(REQUEST) is None


def test_an_entry_moved_to_another_key_is_damaged(cache: RunCache) -> None:
    cache.put(REQUEST, RUN)
    path = entry_of(cache)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"key": "0" * 64}))

    with pytest.warns(UserWarning, match="damaged entry ignored"):
        assert cache.get(REQUEST) is None


def test_a_cache_that_cannot_be_written_warns_once(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    cache = RunCache(tmp_path / "runs")

    with pytest.warns(UserWarning, match="runs are not remembered"):
        cache.put(REQUEST, RUN)

    cache.put(REQUEST, RUN)  # a second warning would be an error
