"""Rendered lights become pictures: layers are read, mixed, weathered, bent and compressed."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from scripts.scenes import exr, lens, looks

HEIGHT, WIDTH = 90, 160
LIGHTS = ("sun", "overcast", "dusk", "night", "infrared")


def exr_file(path, layers, compression=0, version=2):
    """A scan-line EXR of half and float channels, written as the format's own text says."""

    def attribute(name, kind, value):
        return name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value

    height, width = next(iter(layers.values())).shape
    names = sorted(layers)
    kinds = {n: (1 if layers[n].dtype == np.float16 else 2) for n in names}
    table = b"".join(n.encode() + b"\0" + struct.pack("<iiii", kinds[n], 0, 1, 1) for n in names)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    head = struct.pack("<ii", 20000630, version)
    head += attribute(b"channels", b"chlist", table + b"\0")
    head += attribute(b"compression", b"compression", bytes([compression]))
    head += attribute(b"dataWindow", b"box2i", window) + b"\0"
    rows = [b"".join(layers[n][y].tobytes() for n in names) for y in range(height)]
    body = b"".join(struct.pack("<ii", y, len(row)) + row for y, row in enumerate(rows))
    path.write_bytes(head + b"\0" * 8 * height + body)


def test_layers_are_read_by_name(tmp_path):
    rng = np.random.default_rng(0)
    planes = {
        f"ViewLayer.Combined.{c}": rng.random((5, 7)).astype(np.float16) for c in ("B", "G", "R")
    }
    depth = rng.random((5, 7)).astype(np.float32)
    exr_file(tmp_path / "a.exr", {**planes, "ViewLayer.Depth.Z": depth})
    read = exr.read(tmp_path / "a.exr")
    np.testing.assert_array_equal(read["Depth"], depth)
    np.testing.assert_array_equal(read["Combined"][..., 2], planes["ViewLayer.Combined.R"])
    assert read["Combined"].dtype == np.float32


@pytest.mark.parametrize("change", [{"compression": 3}, {"version": 2 | 0x200}])
def test_another_sort_of_file_is_refused(tmp_path, change):
    plane = np.zeros((2, 2), np.float32)
    exr_file(tmp_path / "a.exr", {"ViewLayer.Depth.Z": plane}, **change)
    with pytest.raises(ValueError, match=r"a\.exr"):
        exr.read(tmp_path / "a.exr")


def layers():
    """A grey road towards a far wall, a sky above, a thing on the road."""
    rng = np.random.default_rng(1)
    grey = np.repeat(rng.uniform(0.1, 0.3, (HEIGHT, WIDTH, 1)), 3, axis=2).astype(np.float32)
    depth = np.repeat(np.linspace(300, 5, HEIGHT, dtype=np.float32)[:, None], WIDTH, axis=1)
    alpha = np.ones((HEIGHT, WIDTH), np.float32)
    alpha[:20] = 0
    normal = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    normal[..., 1] = 1
    ids = np.zeros((HEIGHT, WIDTH), np.int32)
    ids[50:60, 20:40] = 3
    glow = np.zeros_like(grey)
    return looks.Layers(
        grey, grey * 0.5, grey * 0.2, grey * 0.1, glow, grey, normal, depth, alpha, ids
    )


def plain(colour, _albedo, _normal):
    return colour


def picture(light, weather="dry", seed=3):
    rng, look = np.random.default_rng(seed), looks.Look(light, weather)
    return looks.develop(looks.mix(layers(), look, rng, plain), look, rng)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("weather", ["dry", "wet", "rain", "haze"])
def test_every_light_and_weather_gives_a_picture(light, weather):
    made = picture(light, weather)
    assert made.shape == (HEIGHT, WIDTH, 3)
    assert made.dtype == np.uint8
    assert 5 < made.mean() < 245
    assert made.std() > 3
    np.testing.assert_array_equal(made, picture(light, weather))


def test_night_is_darker_than_day():
    day = np.mean([picture("sun", seed=s).mean() for s in range(6)])
    night = np.mean([picture("night", seed=s).mean() for s in range(6)])
    assert night < day - 20


def test_infrared_has_hardly_any_colour():
    made = picture("infrared").astype(int)
    assert np.abs(made[..., 0] - made[..., 2]).mean() < 12


def test_a_bend_moves_things_with_their_pixels():
    ids = layers().ids
    shown = np.repeat((ids > 0)[..., None] * np.float32(255), 3, axis=2)
    for seed in range(8):
        bend = lens.Bend(np.random.default_rng(seed), ids.shape, flip=bool(seed % 2))
        moved, where = bend.picture(shown)[..., 0] > 128, bend.ids(ids) > 0
        assert (moved != where).sum() <= 30  # half pixels along the thing's edge
        middle = np.nonzero(where)[1].mean()
        assert middle > WIDTH / 2 if seed % 2 else middle < WIDTH / 2


def test_compression_keeps_the_picture_and_is_seeded():
    shown = picture("sun")
    for seed in range(6):
        one, other = (lens.compress(shown, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one, other)
        assert one.shape == shown.shape
        assert np.abs(one.astype(int) - shown).mean() < 20
