"""A plane as JSON that fits a card: bytes as text. `packed` says what is in it."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from vaeflash.demo import Decoder, Dense, Plane
from vaeflash.widget.packed import CLASSES, REACH, from_json

NEAR = 0.4
"""Radius of a neighbourhood, and how far apart the names of two classes stand."""
_LEVELS = 127


def to_json(plane: Plane) -> str:
    """The plane without its caption, which a page sets in its own type.

    Raises:
        ValueError: The data do not fit each other; which, is said.
    """
    decoders = [_packed(name, decoder) for name, decoder in plane.decoders.items()]
    packed = {"kind": "plane", "ends": list(plane.ends), "decoders": decoders}
    text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"))
    from_json(text)
    return text


def _packed(name: str, decoder: Decoder) -> dict[str, Any]:
    layers = list(map(_layer_bytes, decoder.layers))
    inputs = [np.shape(layer.weights)[1] for layer in decoder.layers]
    outputs = [np.shape(layer.weights)[0] for layer in decoder.layers]
    if inputs[1:] != outputs[:-1]:
        raise ValueError(f"layers {inputs} -> {outputs} do not follow each other")
    codes, counts = _code_bytes(decoder)
    return {
        "name": name,
        "widths": [*inputs, outputs[-1]],
        "weights": _base85(b"".join(layers)),
        "codes": _base85(codes),
        "counts": counts,
        "homes": _homes(decoder),
        "path": [_point(x, y) for x, y in decoder.path],
    }


def _layer_bytes(layer: Dense) -> bytes:
    weights, biases = np.asarray(layer.weights), np.asarray(layer.biases)
    scales = np.append(np.asarray(layer.scales), layer.bias_scale)
    if weights.ndim != 2 or not len(weights) == len(biases) == len(scales) - 1:
        raise ValueError(f"weights {weights.shape}, biases {biases.shape}, scales {scales.shape}")
    integers = np.concatenate([weights.ravel(), biases])
    if np.abs(integers).max() > _LEVELS or (integers != integers.round()).any():
        raise ValueError("weights and biases are not integers from -127 to 127")
    if not (scales >= 0).all():
        raise ValueError("a scale is below 0, or no number")
    return integers.astype(np.int8).tobytes() + scales.astype("<f2").tobytes()


def _code_bytes(decoder: Decoder) -> tuple[bytes, list[int]]:
    """The codes inside the square, sorted by class, and how many there are of each."""
    points = np.asarray(decoder.codes, dtype=float)
    classes = np.asarray(decoder.classes).astype(int)
    if points.shape != (len(classes), 2):
        raise ValueError(f"codes {points.shape} with classes {classes.shape}")
    inside = (np.abs(points) <= REACH).all(axis=1)
    points, classes = points[inside], classes[inside]
    order = np.argsort(classes, kind="stable")
    integers = np.round(points[order] / REACH * _LEVELS).astype(np.int8)
    return integers.tobytes(), np.bincount(classes, minlength=CLASSES).tolist()


def _homes(decoder: Decoder) -> list[list[float] | None]:
    """Of each class the code with the most of its own class near it, but not on another's home."""
    points = np.asarray(decoder.codes, dtype=float)
    classes = np.asarray(decoder.classes).astype(int)
    inside = (np.abs(points) <= 0.93 * REACH).all(axis=1)
    points, classes = points[inside], classes[inside]
    near = np.linalg.norm(points[:, None] - points, axis=2) < NEAR
    own = near & (classes[:, None] == classes)
    # Purity counts too: a name between two classes names neither.
    merits = own.sum(1) * (own.sum(1) / near.sum(1)) ** 0.5
    homes: list[list[float] | None] = []
    for label in range(CLASSES):
        taken = np.array([home for home in homes if home]).reshape(-1, 2)
        free = (np.linalg.norm(points[:, None] - taken, axis=2) > NEAR).all(axis=1)
        merit = np.where(classes == label, merits * (0.01 + free), -1)
        best = int(merit.argmax()) if len(merit) else 0
        homes.append(_point(*points[best]) if (classes == label).any() else None)
    return homes


def _point(x: float, y: float) -> list[float]:
    return [round(float(x), 2), round(float(y), 2)]


def _base85(content: bytes) -> str:
    return base64.b85encode(content + bytes(-len(content) % 4)).decode()
