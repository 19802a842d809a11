"""A plane as data and as a program: packed and read again, drawn without torch, and only ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planes import CAPTION, PATH, REACH, decoder, network, plane

from vaeflash.cli.preview import preview
from vaeflash.course.course import bundled_root
from vaeflash.demo import Bars, Plane
from vaeflash.errors import DemoError
from vaeflash.figures import to_png
from vaeflash.gallery import draw, read_gallery
from vaeflash.lab.quantised import decode as decode_by_torch
from vaeflash.widget.packed import from_json, weight_bytes
from vaeflash.widget.packing import NEAR, to_json
from vaeflash.widget.page import plane_html, styles, to_script
from vaeflash.widget.still import EXTENT, GRID, decode, still

MODEL = network()
PLANE = plane([MODEL])
PACKED = to_json(PLANE)
(ONLY,) = from_json(PACKED)["decoders"]
LIMIT = 45_000


def raw(name: str) -> bytes:
    return base64.b85decode(ONLY[name])


def test_numpy_decodes_as_torch_does() -> None:
    z = 2 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    layers = PLANE.decoders["β 0"].layers

    np.testing.assert_allclose(decode(layers, z), decode_by_torch(layers, z), atol=1e-5)


def test_a_still_is_the_grid_that_torch_decodes() -> None:
    along = torch.linspace(-EXTENT, EXTENT, GRID)
    corner = torch.stack([along[-1], along[0]])  # lower right
    picture = MODEL(corner).sigmoid().detach().view(28, 28)

    mosaic = np.asarray(still(PLANE).pixels)[0, 0]

    np.testing.assert_allclose(mosaic[-28:, -28:], picture, atol=0.05)


def test_a_still_of_several_decoders_names_them() -> None:
    drawn = still(plane([network(1), network(2), network(3)]))

    assert (np.shape(drawn.pixels)[:2], drawn.columns) == ((1, 3), ["β 0", "β 1", "β 2"])


@pytest.mark.slow
def test_a_plane_is_the_same_bytes_each_time() -> None:
    assert (to_png(PLANE), to_json(PLANE)) == (to_png(PLANE), PACKED)


def test_a_terminal_shows_the_still() -> None:
    assert preview(PLANE, 80) is not None


def test_packed_weights_are_those_of_the_layers() -> None:
    layer = PLANE.decoders["β 0"].layers[0]
    weights = np.frombuffer(raw("weights"), np.int8, 64).reshape(32, 2)

    np.testing.assert_array_equal(weights, layer.weights)


def test_packed_scales_follow_the_biases_as_16_bit_floats() -> None:
    layer = PLANE.decoders["β 0"].layers[0]
    scales = np.frombuffer(raw("weights"), "<f2", 33, offset=64 + 32)

    np.testing.assert_array_equal(scales, [*layer.scales, layer.bias_scale])


def test_packed_codes_are_those_inside_the_square_by_class() -> None:
    made = PLANE.decoders["β 0"]
    inside = (made.codes.abs() <= REACH).all(1)
    expected = [made.codes[inside & (made.classes == label)] for label in range(10)]

    codes = np.frombuffer(raw("codes"), np.int8, 2 * int(inside.sum())).reshape(-1, 2)

    np.testing.assert_allclose(codes * REACH / 127, torch.cat(expected), atol=REACH / 254 + 1e-6)
    assert ONLY["counts"] == [len(part) for part in expected]


def test_names_of_classes_stand_apart_and_on_a_code_of_theirs() -> None:
    homes = torch.tensor(ONLY["homes"])
    apart = torch.cdist(homes, homes).fill_diagonal_(torch.inf)
    made = PLANE.decoders["β 0"]
    own = [torch.cdist(h[None], made.codes[made.classes == i]).min() for i, h in enumerate(homes)]

    assert (apart.min() > NEAR - 0.02, max(own) < 0.01) == (True, True)


def test_a_class_without_codes_has_no_name_on_the_plane() -> None:
    few = replace(PLANE.decoders["β 0"], classes=torch.zeros(200))

    (packed,) = from_json(to_json(replace(PLANE, decoders={"": few})))["decoders"]

    assert [home is None for home in packed["homes"]] == [False] + 9 * [True]


def test_what_was_packed_is_read_again() -> None:
    assert (ONLY["widths"], ONLY["path"]) == ([2, 32, 32, 32, 784], [list(end) for end in PATH])


def test_weights_take_as_many_bytes_as_are_promised() -> None:
    assert weight_bytes(ONLY["widths"]) == 29_848


Change = Callable[[dict[str, Any]], Any]
DAMAGES: dict[str, Change] = {
    "kind": lambda data: data.update(kind="program"),
    "no decoder": lambda data: data.update(decoders=[]),
    "ends": lambda data: data.update(ends=["1"]),
    "ends are no texts": lambda data: data.update(ends=[1, 2]),
    "cut weights": lambda data: data["decoders"][0].update(weights=ONLY["weights"][:-5]),
    "foreign weights": lambda data: data["decoders"][0].update(weights='"+alert(1)+"'),
    "weights are no text": lambda data: data["decoders"][0].update(weights=[1]),
    "cut codes": lambda data: data["decoders"][0].update(codes=ONLY["codes"][:-5]),
    "widths": lambda data: data["decoders"][0].update(widths=[2, 32, 784]),
    "not square": lambda data: data["decoders"][0].update(widths=[2, 5], weights="", codes=""),
    "counts": lambda data: data["decoders"][0].update(counts=[200]),
    "negative counts": lambda data: data["decoders"][0].update(counts=[-1, 1] + 8 * [0]),
    "homes": lambda data: data["decoders"][0].update(homes=10 * [["1", "2"]]),
    "path": lambda data: data["decoders"][0].update(path=[[0, 0]]),
    "endless path": lambda data: data["decoders"][0].update(path=[[0, 1e999], [0, 0]]),
    "path beyond floats": lambda data: data["decoders"][0].update(path=[[0, 10**400], [0, 0]]),
    "name": lambda data: data["decoders"][0].pop("name"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_data_that_are_no_plane_are_refused(damage: Change) -> None:
    data = json.loads(PACKED)
    damage(data)

    with pytest.raises(ValueError, match=r"."):
        to_script(json.dumps(data), "a/plane")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '"x"', "{", '{"decoders": 3}', 10**5 * "["]
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text)


def test_only_what_is_known_is_passed_on() -> None:
    data = json.loads(PACKED) | {"extra": "alert(1)"}

    assert "alert" not in to_script(json.dumps(data), "a/plane")


def test_a_script_is_plain_ascii_and_ends_no_element() -> None:
    data = json.loads(PACKED)
    data["decoders"][0]["name"] = "</script><b>β"

    script = to_script(json.dumps(data), "</script>")

    assert (script.isascii(), "</" in script) == (True, False)


def test_what_a_name_says_stays_text() -> None:
    data = json.loads(PACKED)
    data["ends"][0] = '");alert(1);("'

    script = to_script(json.dumps(data), "a/plane")

    assert json.dumps(data["ends"][0]) in script


def test_comments_stay_at_home() -> None:
    assert "//" not in to_script(PACKED, "a/plane").replace("http://www.w3.org/2000/svg", "")


def test_the_element_is_a_picture_where_scripts_are_off() -> None:
    shown = plane_html('a/"b"', "x.png", CAPTION)

    assert '<img src="x.png" alt="A plane of the “tests”, a &lt; b.">' in shown
    assert 'data-plane="a/&quot;b&quot;"' in shown


def test_styles_fetch_nothing() -> None:
    assert ("url(" in styles(), "@import" in styles()) == (False, False)


MISFITS: dict[str, Callable[[], Plane]] = {
    "layers": lambda: with_layers(lambda layers: layers[::-1]),
    "wide integers": lambda: with_layers(
        lambda layers: [replace(layers[0], weights=layers[0].weights.int() + 200), *layers[1:]]
    ),
    "fractions": lambda: with_layers(
        lambda layers: [replace(layers[0], weights=layers[0].weights / 2), *layers[1:]]
    ),
    "no scale": lambda: with_layers(
        lambda layers: [replace(layers[0], bias_scale=float("nan")), *layers[1:]]
    ),
    "codes": lambda: replace(
        PLANE, decoders={"": replace(PLANE.decoders["β 0"], classes=torch.zeros(3))}
    ),
    "no picture": lambda: plane([network(0, (2, 8, 50))]),
    "three numbers": lambda: plane([network(0, (3, 8, 49))]),
    "no decoder": lambda: replace(PLANE, decoders={}),
}


def with_layers(change: Callable[[list[Any]], list[Any]]) -> Plane:
    made = decoder(MODEL)
    return replace(PLANE, decoders={"": replace(made, layers=change(list(made.layers)))})


@pytest.mark.slow
@pytest.mark.parametrize("misfit", MISFITS.values(), ids=MISFITS)
def test_data_that_do_not_fit_are_named_and_nothing_is_written(
    tmp_path: Path, misfit: Callable[[], Plane]
) -> None:
    with pytest.raises(DemoError, match="figure 'touch': its data"):
        draw(tmp_path, "demo", "code", {"touch": misfit()})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_course_keeps_the_data_beside_the_picture(tmp_path: Path) -> None:
    sizes = draw(tmp_path, "demo", "code", {"touch": PLANE, "bars": Bars("", {"a": 1.0})})
    touch, bars = read_gallery(tmp_path).pictures["demo"]

    assert (touch.widget, bars.widget) == ("figures/demo/touch.widget.json", "")
    assert (tmp_path / touch.widget).read_text(encoding="utf-8") == PACKED
    assert sizes["touch"] > len(PACKED.encode())


@pytest.mark.slow
def test_data_of_a_figure_that_is_no_plane_any_more_go(tmp_path: Path) -> None:
    draw(tmp_path, "demo", "code", {"touch": PLANE})

    draw(tmp_path, "demo", "code", {"touch": Bars("", {"a": 1.0})})

    names = sorted(path.name for path in (tmp_path / "figures" / "demo").iterdir())
    assert names == ["index.json", "touch.png"]


def test_the_script_of_one_plane_in_the_course_is_45_kb_at_most() -> None:
    packed = (bundled_root() / "figures/latent-plane/plane.widget.json").read_text("utf-8")

    assert len(to_script(packed, "latent-plane/plane").encode()) <= LIMIT
