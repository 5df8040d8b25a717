"""Pictures of a street, and what can happen to its camera, for tests of camera health."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from pipeline.ingest import Look

CLIPS = Path(__file__).parents[2] / "pipeline" / "rehearsal" / "clips"
WIDTH, HEIGHT = 640, 360
SEEN = 0.86  # share of the clip's picture that the camera sees: the rest comes in when it is turned


@cache
def street(clip: str = "quiet_street", looks: int = 10) -> tuple[np.ndarray, ...]:
    """Luma (360, 640) of a clip of the demo, 3 s apart."""
    with av.open(str(CLIPS / f"{clip}.mp4")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return tuple(frames[:: len(frames) // looks][:looks])


def seen(picture, right=0.0, down=0.0, zoom=1.0, turn_deg=0.0):
    """The middle of a picture, its content moved by shares of the width and height."""
    angle = np.radians(turn_deg)
    around = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = around * SEEN / zoom
    middle = np.array([WIDTH, HEIGHT]) / 2
    offset = middle - matrix @ (middle + np.array([right * WIDTH, down * HEIGHT]))
    return cv2.warpAffine(
        picture,
        np.c_[matrix, offset],
        (WIDTH, HEIGHT),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def noisy(picture, at, sigma=2.0):
    """With a sensor's noise: another one in each of seven looks."""
    return np.clip(picture + sigma * _noise(int(at) % 7), 0, 255).astype(np.uint8)


@cache
def _noise(seed):
    return np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)


def infrared(picture):
    """Grey, lit from the camera: what is far is dark, and some things reflect the other way."""
    detail = picture - cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 12)
    rough = np.random.default_rng(5).normal(0, 1, (9, 16))
    albedo = cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    away = ((columns - 320) / 290) ** 2 + ((rows - 270) / 160) ** 2
    lamp = np.exp(-away)
    lit = 30 + 90 * lamp + detail * np.clip(0.3 + 0.8 * albedo, -1, 1) * (0.15 + 0.8 * lamp)
    return np.clip(lit, 0, 255).astype(np.uint8)


def night(picture, light):
    return np.clip((picture / 255) ** 1.6 * 255 * light + 22, 0, 255).astype(np.uint8)


def fog(picture):
    """So thick that near things keep a quarter of their contrast and far ones nothing."""
    clear = np.clip(np.linspace(-0.1, 0.25, HEIGHT), 0.0, 1.0)[:, None]
    return (picture * clear + 190 * (1 - clear)).astype(np.uint8)


def lorry(picture, share=0.5):
    """Stands before the left part of the picture."""
    hidden = picture.copy()
    side = int(WIDTH * share)
    hidden[:, :side] = 90
    hidden[60:72, :side] = 160
    hidden[180:240, 30 : side - 20] = 140
    hidden[-60:-25, 20:90] = 30
    return hidden


def bag(picture, brightness=70):
    """Over the lens: folds out of focus."""
    folds = np.random.default_rng(7).normal(0, 1, (3, 5))
    soft = cv2.resize(folds, picture.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(brightness + 25 * soft, 0, 255).astype(np.uint8)


def leaf(picture):
    """On the lens: most of the picture is gone, its edge is soft."""
    mask = np.zeros(picture.shape, np.float32)
    cv2.ellipse(mask, (256, 162), (300, 170), 20, 0, 360, 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 25)
    return (picture * (1 - mask) + bag(picture, 60) * mask).astype(np.uint8)


def look(at, luma, *, grey=False, camera_id="c1"):
    """A look at model size 640×384 of a 640×360 camera."""
    picture = np.full((576, WIDTH), 128 if grey else 122, np.uint8)
    picture[:HEIGHT] = noisy(luma, at)
    picture[HEIGHT:384] = 114
    return Look(camera_id, at, (0, 0, WIDTH, 384), (WIDTH, HEIGHT), picture)


class Watching:
    """Feeds a health the pictures of a camera, one look after another."""

    def __init__(self, health, *, every_s=5.0, at=1000.0, camera_id="c1"):
        self.health, self.every_s, self.at, self.camera_id = health, every_s, at, camera_id
        self._index = 0

    def sees(self, seconds, view=seen, *, clip="quiet_street", grey=False):
        """Verdicts, each with the seconds since this began."""
        verdicts = []
        for index in range(round(seconds / self.every_s)):
            frames = street(clip)
            luma = view(frames[self._index % len(frames)])
            shown = look(self.at, luma, grey=grey, camera_id=self.camera_id)
            verdicts.append((index * self.every_s, self.health.judge(shown)))
            self.at += self.every_s
            self._index += 1
        return verdicts
