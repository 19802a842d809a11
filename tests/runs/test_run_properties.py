"""The run cache gives back what was put in, under exactly the request that it was put under."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vaeflash.card import Value
from vaeflash.files import write_atomically
from vaeflash.runs.run import Request, Run, RunCache

# Every value a text can hold that can be written to a file: surrogates cannot.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.text("',()\"\\ 1=", max_size=8)
WHOLE = st.integers() | st.integers(2**53, 2**80) | st.integers(-(10**400), 10**400)
VALUES: st.SearchStrategy[Value] = st.one_of(
    WHOLE, st.floats(), st.booleans(), TEXTS, st.lists(WHOLE, max_size=3).map(tuple)
)
PARAMS = st.dictionaries(TEXTS, VALUES, max_size=3).map(lambda params: tuple(params.items()))
REQUESTS = st.builds(
    Request,
    demo=TEXTS,
    params=PARAMS,
    seed=st.integers(0),
    code=TEXTS,
    data=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    device=TEXTS,
    torch=TEXTS,
)
RUNS = st.builds(
    lambda metrics, error, *rest: Run(metrics | {"error": error}, *rest),
    st.dictionaries(TEXTS, VALUES, max_size=4),
    TEXTS,
    st.floats(0, allow_nan=False),
    TEXTS,
    TEXTS,
)

REQUEST = Request("coin", (("rate", 0.5),), 1000, "c0de", (("digits", "da7a"),), "cpu", "2.13")
RUN = Run({"heads": 1, "mse": 0.5, "shape": (2, 3), "error": "none"}, 0.25, "2026-11-21")


@contextmanager
def fresh_cache() -> Iterator[RunCache]:
    with TemporaryDirectory() as folder:
        yield RunCache(Path(folder))


def entry_of(cache: RunCache) -> Path:
    (path,) = cache.folder.rglob("*.json")
    return path


def exactly(value: object) -> object:
    """Something that is equal only for values of one type and one sign; NaN equals itself."""
    match value:
        case float():
            return "float", value.hex()
        case tuple() | list():
            return type(value).__name__, [exactly(one) for one in value]
        case dict():
            return "dict", {name: exactly(one) for name, one in value.items()}
        case Run():
            return [exactly(v) for v in (value.metrics, value.seconds, value.date, value.message)]
        case Request():
            return [exactly(getattr(value, field.name)) for field in fields(value)]
    return type(value).__name__, value


@pytest.mark.slow
@given(REQUESTS, RUNS)
def test_what_was_put_in_comes_back_in_its_types(request_: Request, run: Run) -> None:
    with fresh_cache() as cache:
        cache.put(request_, run)

        assert exactly(RunCache(cache.folder).get(request_)) == exactly(run)


@pytest.mark.slow
@given(REQUESTS, REQUESTS, st.sampled_from(fields(Request)))
def test_a_request_that_differs_in_one_field_has_another_key(
    one: Request, other: Request, field: object
) -> None:
    name = getattr(field, "name")  # noqa: B009 -- its type is not that of an instance
    changed = replace(one, **{name: getattr(other, name)})

    assert (changed.key == one.key) == (exactly(changed) == exactly(one))


@given(st.lists(VALUES, min_size=2, max_size=2))
@example([1, True])
@example([1, 1.0])
@example([0.0, -0.0])
@example([float("nan"), float("nan")])
@example([1, "1"])
@example([(1,), "(1,)"])
@example(["a', 1), ('b", "a"])
def test_two_values_are_one_request_exactly_if_they_are_one_value(pair: list[Value]) -> None:
    one, other = (replace(REQUEST, params=(("a", value),)) for value in pair)

    assert (one.key == other.key) == (exactly(pair[0]) == exactly(pair[1]))


@given(st.lists(TEXTS, min_size=4, max_size=4), st.lists(TEXTS, min_size=4, max_size=4))
def test_no_text_of_one_field_passes_for_another_field(one: list[str], other: list[str]) -> None:
    keys = [
        replace(REQUEST, demo=demo, code=code, device=device, torch=torch).key
        for demo, code, device, torch in (one, other)
    ]

    assert (keys[0] == keys[1]) == (one == other)


def sound_or_ignored(cache: RunCache) -> bool:
    """Whether an entry came to the run as it was, or to a warning and nothing."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run = cache.get(REQUEST)
    if run is None:
        return ["damaged" in str(warning.message) for warning in warned] == [True]
    return exactly(run) == exactly(RUN)


@pytest.mark.slow
@given(st.data())
def test_an_entry_that_was_cut_off_is_ignored(data: st.DataObject) -> None:
    with fresh_cache() as cache:
        cache.put(REQUEST, RUN)
        content = entry_of(cache).read_bytes()
        entry_of(cache).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])

        assert sound_or_ignored(cache)


@pytest.mark.slow
def test_an_entry_with_any_bit_turned_is_ignored_or_means_the_same(tmp_path: Path) -> None:
    cache = RunCache(tmp_path)
    cache.put(REQUEST, RUN)
    path = entry_of(cache)
    content = path.read_bytes()

    taken_for_another = []
    for bit in range(8 * len(content)):
        turned = bytearray(content)
        turned[bit // 8] ^= 1 << bit % 8
        path.write_bytes(turned)
        if not sound_or_ignored(cache):
            taken_for_another.append(bytes(turned))

    assert taken_for_another == []


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 10**5,
        b'{"seconds": 1' + b"0" * 400 + b"}",
        b"NaN",
        b"\x00" * 300,
    ],
)
def test_an_entry_that_is_something_else_is_ignored(tmp_path: Path, content: bytes) -> None:
    cache = RunCache(tmp_path)
    cache.put(REQUEST, RUN)
    entry_of(cache).write_bytes(content)

    assert sound_or_ignored(cache)


@pytest.mark.slow
@given(st.lists(RUNS, min_size=2, max_size=6))
def test_of_runs_put_at_the_same_time_one_is_remembered_whole(runs: list[Run]) -> None:
    with fresh_cache() as cache, ThreadPoolExecutor(len(runs)) as threads:
        for done in [threads.submit(cache.put, REQUEST, run) for run in runs]:
            done.result()

        assert exactly(cache.get(REQUEST)) in [exactly(run) for run in runs]


def test_a_reader_never_sees_half_an_entry(tmp_path: Path) -> None:
    cache = RunCache(tmp_path)
    runs = [replace(RUN, message="x" * 2**size) for size in range(16)]
    cache.put(REQUEST, RUN)
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(cache.put, REQUEST, run) for run in runs]
        seen = [cache.get(REQUEST)]  # at least once, however quick the writers are
        while not all(done.done() for done in writing):
            seen.append(cache.get(REQUEST))

    assert [run for run in seen if run not in [RUN, *runs]] == []


def test_nothing_but_the_entry_is_left_behind(tmp_path: Path) -> None:
    cache = RunCache(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(cache.put, REQUEST, RUN) for _ in range(20)]:
            done.result()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [entry_of(cache)]


def test_writing_does_not_touch_the_umask_that_all_threads_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "umask", lambda mask: asked.append(mask) or 0o22)

    write_atomically(tmp_path / "file", "text")

    assert asked == []
