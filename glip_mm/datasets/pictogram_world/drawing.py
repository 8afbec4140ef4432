"""Drawing of pictograms on photos and textures, with the boxes of what is visible."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.grounding_world.drawing import Box, draw_texture
from glip_mm.image_decoding import open_image

from .scene import TINTS, Thing

#: Share of a thing that must be visible, or it is none of the image's things.
VISIBLE = .4


@lru_cache(maxsize=2048)
def _drawing(path: str) -> Image.Image:
    """Read a pictogram, RGBA, cut to what is not transparent."""
    try:
        image = open_image(path).convert('RGBA')
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read ({error}): make the folder of pictograms "
                        'anew') from error
    box = image.getchannel('A').getbbox()
    if box is None:
        raise DataError(f"'{path}' is transparent all over: make the folder of pictograms anew")
    return image.crop(box)


@lru_cache(maxsize=128)
def _photo(path: str, side: int) -> Image.Image:
    """Read a photo whose shorter side is one and a half times ``side``."""
    try:
        with Image.open(path) as image:
            image.draft('RGB', (2 * side, 2 * side))
            image = image.convert('RGB')
    except (OSError, ValueError) as error:
        raise DataError(f"photo '{path}' cannot be read ({error}): remove it") from error
    scale = 1.5 * side / min(image.size)
    return image.resize([max(side, round(n * scale)) for n in image.size])


def background(photos: Sequence[str], side: int, rng: np.random.Generator) -> Image.Image:
    """Draw a background: a part of a photo, or a texture (a third; all where no photos are).

    Args:
        photos: Paths of photos.
        side: Width and height in pixels.
        rng: Source of all randomness.
    """
    if not photos or rng.random() < 1 / 3:
        return Image.fromarray(np.clip(draw_texture(side, rng), 0, 255).astype(np.uint8))
    photo = _photo(photos[int(rng.integers(len(photos)))], side)
    x, y = (int(rng.integers(n - side + 1)) for n in photo.size)
    return photo.crop((x, y, x + side, y + side))


def _tinted(pixels: np.ndarray, tint: str) -> np.ndarray:
    """Return RGB float32 ``[h, w, 3]`` in shades of one colour."""
    light = pixels @ np.array([.299, .587, .114], dtype=np.float32)
    colour = np.array(TINTS[tint], dtype=np.float32)
    return colour * (.35 + .9 * light[..., None] / 255)


def _pictogram(thing: Thing, folder: str, rng: np.random.Generator) -> Image.Image:
    """Draw a thing alone, RGBA: resized, mirrored, turned, tinted, lighter or darker."""
    image = _drawing(str(Path(folder) / thing.style / f'{thing.kind.id}.png'))
    scale = 2 * thing.radius / max(image.size)
    image = image.resize([max(4, round(n * scale)) for n in image.size])
    if thing.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.rotate(thing.angle, Image.Resampling.BILINEAR, expand=True)
    pixels = np.asarray(image, dtype=np.float32)
    colour: np.ndarray = pixels[..., :3]
    if thing.tint:
        colour = _tinted(colour, thing.tint)
    colour = colour * rng.uniform(.8, 1.15) + rng.uniform(-12, 12, size=3)
    pixels = np.concatenate([np.clip(colour, 0, 255), pixels[..., 3:]], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8), 'RGBA')


def draw_scene(things: Sequence[Thing], folder: str, photos: Sequence[str], side: int,
               rng: np.random.Generator) -> tuple[np.ndarray, list[Thing], list[Box]]:
    """Draw things over a photo or texture.

    Args:
        things: Things, from the lowest to the topmost.
        folder: Folder of pictograms.
        photos: Paths of photos.
        side: Width and height in pixels.
        rng: Source of the background and of the jitter of the colours.

    Returns:
        RGB uint8 ``[side, side, 3]``, the ``K`` things that are not hidden, and ``K`` boxes of
        what is visible, pixel xyxy, the right and bottom edges exclusive.

    Raises:
        DataError: If a pictogram or a photo cannot be read.
    """
    image = background(photos, side, rng)
    owner = np.full((side, side), -1, dtype=np.int8)
    sizes = []
    for index, thing in enumerate(things):
        drawn = _pictogram(thing, folder, rng)
        left, top = round(thing.x - drawn.width / 2), round(thing.y - drawn.height / 2)
        image.paste(drawn, (left, top), drawn)
        mask = Image.new('L', (side, side))
        mask.paste(drawn.getchannel('A'), (left, top))
        cover = np.asarray(mask) >= 128
        sizes.append(int(cover.sum()))
        owner[cover] = index
    visible, boxes = [], []
    for index, thing in enumerate(things):
        rows, columns = np.nonzero(owner == index)
        if len(rows) > VISIBLE * sizes[index]:
            visible.append(thing)
            boxes.append((int(columns.min()), int(rows.min()), int(columns.max()) + 1,
                          int(rows.max()) + 1))
    return np.asarray(image), visible, boxes
