"""Video files: other containers of the same frames, damage, playlists of other files."""

import os
import struct
from pathlib import Path

import cv2
import numpy as np

from dev.robustness.mutations import DAMAGE
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'videos'
_FRAMES = 6
_KINDS = {'mp4': 'mp4v', 'avi': 'MJPG', 'mkv': 'mp4v', 'mov': 'mp4v'}
_SECRET = 250


def _write(path: Path, first: int, step: int = 20) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*_KINDS[path.suffix[1:]]), 10,
                             (WIDTH, HEIGHT))
    for index in range(_FRAMES):
        writer.write(np.full((HEIGHT, WIDTH, 3), first + step * index, np.uint8))
    writer.release()


def prepare(world: World) -> None:
    """Write the same frames in several containers, and a video that no try may show."""
    import glip_mm.video  # noqa: F401
    for suffix in _KINDS:
        _write(world.folder / f'v.{suffix}', 40)
        _write(world.folder.parent / 'outside' / f'secret.{suffix}', _SECRET, 0)


def _playlist(place: Place) -> tuple[str, bytes]:
    """Write what makes a player open another file."""
    secret = place.outside / f'secret.{place.rng.choice(sorted(_KINDS))}'
    name = place.rng.choice([str(secret), f'file:{secret}', os.path.relpath(secret, place.folder)])
    what = place.rng.choice(['HLS', 'concat', 'SDP', 'ASX'])
    return what, {
        'HLS': f'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{name}\n#EXT-X-ENDLIST\n',
        'concat': f"ffconcat version 1.0\nfile '{name}'\n",
        'SDP': 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n'
               'm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n',
        'ASX': f'<asx version="3.0"><entry><ref href="{name}"/></entry></asx>'}[what].encode()


def _huge(content: bytes) -> bytes:
    """Let the header of an AVI speak of 2^15 x 2^15 pixels."""
    size = struct.pack('<2I', WIDTH, HEIGHT)
    return content.replace(size, struct.pack('<2I', 1 << 15, 1 << 15))


def draw(place: Place) -> tuple[str, Path, bool, int, int]:
    """Write a file.

    Returns:
        The attack in words, the file, whether it may be refused, and the least and the largest
        number of frames that are right; 0 for none.
    """
    rng = place.rng
    suffix = rng.choice(sorted(_KINDS))
    path = place.folder / rng.choice([f'a.{suffix}', f'a b.{suffix}', 'ä.mp4', 'a%02d.mp4'])
    content = (place.world.folder / f'v.{suffix}').read_bytes()
    drawn, refused, whole = rng.random(), True, False
    if drawn < .25:
        what, refused, whole = f'frames in {suffix}', False, True
        path.write_bytes(content)
    elif drawn < .45:
        what = rng.choice(['nothing', 'random bytes', 'HTML of a login page', 'another format',
                           'a pointer of Git LFS', 'a folder', 'a pipe', 'missing', 'broken link'])
        if what in DAMAGE and what != 'another format':
            path.write_bytes(DAMAGE[what](rng, content))
        elif what == 'another format':
            path.write_bytes(b'PK\x03\x04' + rng.randbytes(900))
        elif what == 'a folder':
            path.mkdir()
        elif what == 'a pipe':
            os.mkfifo(path)
        elif what == 'broken link':
            path.symlink_to('gone')
    elif drawn < .6:
        what, text = _playlist(place)
        what = f'a playlist: {what}'
        path.write_bytes(text)
    elif drawn < .7:
        # the decoder may know better: then the frames are as they were
        what, whole = 'a size of 2^15 x 2^15', True
        path.write_bytes(_huge((place.world.folder / 'v.avi').read_bytes()))
    elif drawn < .85:
        what, refused = f'{suffix}, cut off', True
        path.write_bytes(content[:rng.randrange(1, len(content))])
    else:
        what = f'{suffix} with flipped bits'
        changed = bytearray(content)
        for _ in range(8):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(changed))
    some = what.endswith(('cut off', 'flipped bits'))
    return what, path, refused, _FRAMES if whole else int(some), _FRAMES if whole or some else 0


def make(place: Place) -> Try:
    """Write a file, and read its frames."""
    what, path, refused, least, most = draw(place)

    def act() -> list[float]:
        from glip_mm.video import VideoReader
        return [float(frame.pixels.mean()) for frame in VideoReader(path)]

    def wrong(found: list[float]) -> str | None:
        if least == most:
            right = [40. + 20 * i for i in range(_FRAMES)]
            return None if len(found) == _FRAMES and np.allclose(found, right, atol=4) else (
                f'frames of {found}')
        # those before the damage; nobody can tell which of them are as they were
        return None if len(found) <= most else f'{len(found)} frames'
    return Try(what, act, wrong if most else None, (str(path), ) if refused else None)
