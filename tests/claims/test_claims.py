"""What a claim asks for, once it is read."""

import ast
from pathlib import Path

import pytest

import vaeflash.claims
from vaeflash.claims import parse_claim

SKETCHES = [
    "out[cube=32] == (1, 1, 32, 32, 32)",
    "channels == (32, 64, 128, 256)",
    'error[cube=64] == "RuntimeError" and error[cube=32] == "none"',
    "flat[layers=3] == flat_formula[layers=3]",
    "abs(sample_std - 0.5) < 0.01",
    "grad == 0.5 +- 1e-6",
    'error[noise=randn] == "RuntimeError" and error[noise=randn_like] == "none"',
    "0 <= lo and hi <= 1",
    'values_ratio == 64 and bytes_ratio[dtype="u8"] == 16',
    "abs(best_mse - mean) < 2e-3 and abs(best_bce - mean) < 2e-3",
    "ink_share[sampler=edge] > 2 * ink_share[sampler=uniform]",
    'branch[test="isinstance"] == "else"',
    'params[block="res"] != params[block="note"]',
    "gradmax[res=0] < 3 * gradmax[res=1]",
    "-0.55 < slope < -0.45",
    "loss[batch=64, steps=100] > loss[batch=16, steps=400]",
    "abs(slope[batch=1024] - slope[batch=256]) < 0.2 * abs(slope[batch=256])",
    'mse[range="pm1", head="tanh"] < mse[range="pm1", head="sigmoid"]',
    "abs(over[target=0.2] - under[target=0.2]) > 0.01",
    "min(recall0, recall1) > mean_recall",
    "recon_acc[latent=2] < recon_acc[latent=32] - 0.1",
    "start == 42875 +- 3000",
    "kl falls over beta=0.03,0.1,0.3,1,3 and mse rises over beta=0.03,0.1,0.3,1,3",
    "kl[warmup=1, final=1] > 10 * kl[warmup=0, final=1]",
    'loss[reduction="sum", form="closed"] == 5.2896 +- 1e-3',
    'error[device="cpu"] == "AssertionError"',
]


@pytest.mark.parametrize("text", SKETCHES)
def test_sketches_of_the_ledger_of_statements_are_read(text) -> None:
    assert parse_claim(text).text == text


def test_runs_are_distinct_and_in_order_of_appearance() -> None:
    claim = parse_claim("mse[latent=32] < 0.5 * mse[latent=2] and kl > 0 and kl[latent=32] > 0")

    assert claim.runs == ((("latent", 32),), (("latent", 2),), ())


def test_the_parameters_of_a_run_are_sorted_by_name() -> None:
    claim = parse_claim("a[y=1, x=2] < b[x=2, y=1]")

    assert claim.runs == ((("x", 2), ("y", 1)),)


def test_metrics_are_distinct_and_know_their_run() -> None:
    claim = parse_claim("a < b[k=1] + a and max(c, a) == 1 +- d")

    assert claim.metrics == (((), "a"), ((("k", 1),), "b"), ((), "c"), ((), "d"))


def test_a_trend_adds_its_parameter_to_the_metrics_own() -> None:
    claim = parse_claim("kl[recon=sum] falls over beta=0.1,1")

    assert claim.runs == ((("beta", 0.1), ("recon", "sum")), (("beta", 1), ("recon", "sum")))


def test_a_trend_may_go_over_words_texts_and_shapes() -> None:
    claim = parse_claim('x rises over k=-1,word,"a text",(1, 2)')

    assert [dict(run)["k"] for run in claim.runs] == [-1, "word", "a text", (1, 2)]


@pytest.mark.parametrize(
    ("tail", "share"),
    [
        ("", 0.10),
        (" in 95% of seeds", 0.05),
        (" in 99 % of seeds", 0.01),
        (" in 85% of seeds", 0.15),
    ],
)
def test_the_failure_share_is_what_the_seeds_leave(tail, share) -> None:
    assert parse_claim("x < 1" + tail).failure_share == share


def test_parts_have_their_own_text_and_answer() -> None:
    claim = parse_claim("a < 1  and  b[k=2] == (2, 3) in 95% of seeds")

    measured = {(): {"a": 2}, (("k", 2),): {"b": (2, 3)}}

    assert [(part.text, part.holds(measured)) for part in claim.parts] == [
        ("a < 1", False),
        ("b[k=2] == (2, 3)", True),
    ]


def test_the_words_of_the_grammar_are_names_where_a_metric_can_stand() -> None:
    claim = parse_claim("over < in and and > falls and abs < log and seeds falls over over=1,2")

    assert [name for _, name in claim.metrics] == [
        "over", "in", "and", "falls", "abs", "log", "seeds", "seeds",
    ]  # fmt: skip


def test_equal_texts_are_equal_claims_with_equal_hashes() -> None:
    assert hash(parse_claim("a < 1")) == hash(parse_claim("a < 1"))


def test_expected_errors_are_those_that_each_run_is_compared_with() -> None:
    claim = parse_claim(
        'error[a=1] == "RuntimeError" and "ValueError" != error[a=1] and error[a=2] == "none"'
    )

    assert dict(claim.expected_errors) == {
        (("a", 1),): frozenset({"RuntimeError", "ValueError"}),
        (("a", 2),): frozenset(),
    }


def test_a_text_that_is_compared_with_another_metric_is_no_expected_error() -> None:
    assert dict(parse_claim('branch == "else" and error == branch').expected_errors) == {}


def test_the_package_has_no_way_to_run_code() -> None:
    folder = Path(vaeflash.claims.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")]
    names = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = {
        alias.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }

    assert not (names | imported) & {"eval", "exec", "compile", "__import__", "getattr", "ast"}
