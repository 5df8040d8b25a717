"""From light to picture: mixes the rendered lights into a look, then weather, lens and sensor.

Linear BGR float32 (h, w, 3) until ``develop``; uint8 afterwards. Needs no renderer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

Light = Literal["sun", "overcast", "dusk", "night", "infrared"]
Weather = Literal["dry", "wet", "rain", "haze"]
_WARM, _WHITE, _BLUE = (0.45, 0.75, 1.0), (0.95, 1.0, 0.98), (1.35, 1.0, 0.72)
_GREY = np.array((0.11, 0.59, 0.30), np.float32)
_FAR_M = 400.0


@dataclass(frozen=True)
class Layers:
    """One rendering: each light alone, float32 (h, w, 3) BGR, and what the camera sees where.

    ``alpha`` (h, w) is 0 where the sky is; ``depth`` (h, w) metres; ``ids`` int32 (h, w).
    """

    sun: np.ndarray
    sky: np.ndarray
    lamps: np.ndarray
    beams: np.ndarray
    glow: np.ndarray
    albedo: np.ndarray
    normal: np.ndarray
    depth: np.ndarray
    alpha: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True)
class Look:
    """A light and a weather; ``dark`` looks need lamps lit, the others a sun."""

    light: Light
    weather: Weather

    @property
    def name(self) -> str:
        return f"{self.light}-{self.weather}"


def mix(
    layers: Layers,
    look: Look,
    rng: np.random.Generator,
    denoise: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """The scene in this light and weather, denoised, exposed so that 1 is the sensor's white."""
    if look.light == "infrared":
        lit = _infrared(layers, rng)
    elif look.light in ("sun", "overcast"):
        lit = _day(layers, look, rng)
    else:
        lit = _dark(layers, look, rng)
    lit = denoise(lit, layers.albedo, layers.normal)
    lit = _air(lit, layers, look, rng)
    return _bloom(_exposed(lit, look, rng), look, rng)


def _day(layers: Layers, look: Look, rng: np.random.Generator) -> np.ndarray:
    strong = rng.uniform(2.5, 6.0) if look.light == "sun" else rng.uniform(0.0, 0.25)
    blue = np.array(_BLUE, np.float32) ** (rng.uniform(0.2, 0.8) if look.light == "sun" else 0.1)
    gold = np.array((0.72, 0.92, 1.08), np.float32) ** rng.uniform(0.2, 1.6)
    lit = layers.sun * gold * strong + layers.sky * blue + layers.glow
    above = rng.uniform(0.8, 2.2) * np.array(_BLUE, np.float32) ** rng.uniform(0.0, 1.0)
    return _with_sky(lit, layers, above, rng, clouds=0.5 if look.light == "sun" else 0.2)


def _dark(layers: Layers, look: Look, rng: np.random.Generator) -> np.ndarray:
    lamp = np.array(_WARM, np.float32) ** rng.uniform(0.0, 1.5)
    lit = layers.lamps * lamp + layers.beams * np.array(_WHITE, np.float32) * rng.uniform(0.05, 0.6)
    faint = lit[layers.alpha > 0.5].mean() if (layers.alpha > 0.5).any() else 1.0
    share = rng.uniform(0.8, 4.0) if look.light == "dusk" else rng.uniform(0.01, 0.15)
    scale = share * faint / max(float(layers.sky.mean()), 1e-6)
    blue = np.array(_BLUE, np.float32) ** rng.uniform(0.0, 1.2)
    lit = lit + layers.sky * blue * scale + layers.glow * faint * rng.uniform(20, 80)
    # Night modes lift what is dark and hold back what glares.
    lit = lit * (lit.mean(axis=2, keepdims=True) / faint + 0.02) ** -rng.uniform(0.0, 0.4)
    return _with_sky(lit, layers, blue * scale * 0.8, rng, clouds=0.3)


def _infrared(layers: Layers, rng: np.random.Generator) -> np.ndarray:
    """Lamps around the lens, a grey picture: near things glare, far ones drown."""
    rays = _rays(layers.depth.shape)
    facing = np.abs((layers.normal * rays).sum(axis=2))
    far = np.clip(layers.depth, 2.0, _FAR_M)
    grey = (layers.albedo @ _GREY) * facing * 60.0 / far ** rng.uniform(1.2, 2.0)
    y, x = np.mgrid[-1 : 1 : grey.shape[0] * 1j, -1 : 1 : grey.shape[1] * 1j]
    cone = np.exp(-(x**2 + y**2) * rng.uniform(0.2, 1.2)).astype(np.float32)
    around = (layers.sky + layers.lamps + 0.1 * layers.sun) @ _GREY
    level = float(np.median(grey)) / max(float(np.median(around)), 1e-6)
    grey = grey * cone * layers.alpha + around * level * rng.uniform(0.02, 0.5)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def _rays(shape: tuple[int, int]) -> np.ndarray:
    """Rough viewing directions in the camera's axes; the lens's exact angle matters little."""
    height, width = shape
    y, x = np.mgrid[0.45 : -0.45 : height * 1j, -0.8 : 0.8 : width * 1j]
    rays = np.stack([x, y, np.ones_like(x)], axis=2)
    return (rays / np.linalg.norm(rays, axis=2, keepdims=True)).astype(np.float32)


def _with_sky(
    lit: np.ndarray, layers: Layers, colour: np.ndarray, rng: np.random.Generator, *, clouds: float
) -> np.ndarray:
    """Put a sky behind, paler towards the horizon, with soft clouds."""
    height, width = layers.alpha.shape
    small = rng.normal(0, 1, (4, 7)).astype(np.float32)
    cloud = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * clouds
    pale = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 0.5
    above = colour.astype(np.float32) * (1 + 0.25 * cloud[..., None])
    above = above + (above.mean() * 1.15 - above) * pale[..., None]
    return lit + above * (1 - layers.alpha[..., None])


def _air(lit: np.ndarray, layers: Layers, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Haze and rain veil what is far."""
    reach = {"dry": 1500.0, "wet": 700.0, "rain": 160.0, "haze": 70.0}[look.weather]
    reach *= rng.uniform(0.6, 1.6)
    depth = np.where(layers.alpha > 0.5, np.minimum(layers.depth, _FAR_M), _FAR_M)
    clear = np.exp(-depth / reach).astype(np.float32)[..., None]
    bright = cv2.resize(lit, (16, 9), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    veil = np.percentile(bright, 80, axis=0).astype(np.float32)
    veil = veil * 0.3 + veil.mean() * 0.7
    return lit * clear + veil * (1 - clear)


def _exposed(lit: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Auto exposure: brings the lower picture's usual brightness to a target."""
    grey = lit[lit.shape[0] // 4 :] @ _GREY
    usual = float(np.exp(np.log(np.maximum(grey, 1e-5)).mean()) * 0.6 + 0.4 * grey.mean())
    low, high = {
        "sun": (0.16, 0.34),
        "overcast": (0.16, 0.36),
        "dusk": (0.08, 0.2),
        "night": (0.035, 0.13),
        "infrared": (0.07, 0.22),
    }[look.light]
    return lit * (rng.uniform(low, high) / max(usual, 1e-6))


def _bloom(lit: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Bright lights spill over a little, more so in the dark and through a dirty lens."""
    if look.light in ("sun", "overcast") and rng.random() < 0.6:
        return lit
    bright = np.clip(lit - 1.0, 0, 6.0)
    wide = cv2.GaussianBlur(bright, (0, 0), rng.uniform(3, 9))
    return lit + wide * rng.uniform(0.1, 0.6)


def develop(lit: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Lens, weather before it, sensor: linear light to uint8 BGR."""
    if look.weather == "rain":
        lit = _streaks(lit, rng)
    lit = _softened(lit, rng)
    lit = _dirt(lit, look, rng)
    curve = _curve(lit, rng)
    grain = {"sun": 0.006, "overcast": 0.008, "dusk": 0.013, "night": 0.021, "infrared": 0.018}
    noise = rng.normal(0, grain[look.light] * rng.uniform(0.3, 1.6), curve.shape[:2])
    colour = rng.normal(0, 1, curve.shape) * noise.std() * 0.4
    if look.light == "infrared":
        colour[:] = 0
    noise = cv2.GaussianBlur(noise[..., None] + colour, (0, 0), rng.uniform(0.4, 0.8)) * 1.6
    return np.clip((curve + noise) * 255, 0, 255).astype(np.uint8)


def _softened(lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small lens; now and then a sensor that has fewer pixels than the picture."""
    height, width = lit.shape[:2]
    if rng.random() < 0.2:
        share = rng.uniform(0.5, 0.85)
        small = (round(width * share), round(height * share))
        lit = cv2.resize(lit, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(lit, (width, height), interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 0.95))
    sharpen = rng.uniform(0.3, 1.2) if rng.random() < 0.3 else 0.0
    return np.maximum(soft + (soft - cv2.GaussianBlur(soft, (0, 0), 1.5)) * sharpen, 0)


def _curve(lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A camera's tone curve with some contrast, saturation and white balance of its own."""
    lit = lit * (1 + rng.normal(0, (0.04, 0.015, 0.04))).astype(np.float32)
    grey = (lit @ _GREY)[..., None]
    lit = np.maximum(grey + (lit - grey) * rng.uniform(0.55, 1.15), 0)
    soft = lit * (2.51 * lit + 0.03) / (lit * (2.43 * lit + 0.59) + 0.14)
    shown = np.clip(soft, 0, 1) ** (1 / rng.uniform(1.7, 2.3))
    black = rng.uniform(-0.02, 0.09)
    return black + shown * (rng.uniform(0.9, 1.03) - black)


def _streaks(lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = lit.shape[:2]
    mask = np.zeros((height, width), np.float32)
    slant, count = rng.normal(0, 0.15), int(rng.integers(100, 700))
    for x, y, length in rng.uniform((0, 0, 6), (width, height, 34), (count, 3)):
        end = (round(x + slant * length), round(y + length))
        cv2.line(mask, (round(x), round(y)), end, float(rng.uniform(0.2, 1.0)), 1, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.7)[..., None]
    return lit + mask * float(np.percentile(lit, 75)) * rng.uniform(0.15, 0.5)


def _dirt(lit: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Dust, smears and drops on the cover glass; darker corners."""
    height, width = lit.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shade = (1 - rng.uniform(0, 0.3) * (x**2 + y**2) / 2)[..., None].astype(np.float32)
    lit = lit * shade
    if rng.random() < 0.25:
        small = rng.normal(0, 1, (6, 10)).astype(np.float32)
        smear = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        veil = np.clip(smear * 0.12 * rng.uniform(0.3, 1), 0, 0.25)[..., None]
        lit = lit * (1 - veil) + float(lit.mean()) * veil
    if rng.random() < (0.6 if look.weather == "rain" else 0.12):
        lit = _drops(lit, rng)
    return lit


def _drops(lit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drops or specks on the glass: a blurred, shifted view in small discs."""
    height, width = lit.shape[:2]
    mask = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(2, 16))):
        place = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(2, 13)), int(rng.integers(2, 15)))
        cv2.ellipse(mask, place, axes, 0, 0, 360, float(rng.uniform(0.4, 1)), -1, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
    through = np.roll(cv2.GaussianBlur(lit, (0, 0), 5), int(rng.integers(-20, 20)), axis=0)
    return lit * (1 - mask) + through * mask
