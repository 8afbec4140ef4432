"""What may be given as images and as names."""

from pathlib import Path

import mmcv
import numpy as np
import PIL.Image
import pytest
import torch

from glip_mm.apis import ImageError, make_prompt
from glip_mm.apis.inputs import list_images, to_bgr
from glip_mm.visualization import save_image

NAMES = ['red circle', 'box']


def test_pil_images_and_tensors(inferencer, pictures):
    bgr = mmcv.imread(f'{pictures}/0.png')
    rgb = torch.from_numpy(bgr[..., ::-1].copy())
    wanted = inferencer(bgr, NAMES)[0].to_dict()
    with PIL.Image.open(f'{pictures}/0.png') as image:
        assert inferencer(image, NAMES)[0].to_dict() == wanted
    for tensor in (rgb, rgb.permute(2, 0, 1), rgb.permute(2, 0, 1).float() / 255):
        assert inferencer(tensor, NAMES, channel_order='rgb')[0].to_dict() == wanted
    batch = inferencer(torch.stack([rgb, rgb]).permute(0, 3, 1, 2), NAMES, channel_order='rgb')
    assert [r.to_dict() for r in batch] == [wanted] * 2


def test_turned_and_deep_pil_images(tmp_path):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = PIL.Image.fromarray(pixels)
    exif = PIL.Image.Exif()
    exif[0x112] = 6
    image.save(tmp_path / 'a.png', exif=exif)
    with PIL.Image.open(tmp_path / 'a.png') as image:
        np.testing.assert_array_equal(to_bgr(image)[..., 0], np.rot90(pixels, -1))
    deep = PIL.Image.fromarray(np.full((2, 2), 0x8000, np.uint16))
    assert to_bgr(deep)[0, 0].tolist() == [128] * 3


@pytest.mark.parametrize('image', [
    torch.zeros(2, 8, 8), torch.full((3, 8, 8), 200.), torch.zeros(3, 8, 8, dtype=torch.int64),
    np.zeros((3, 8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)])
def test_other_shapes_and_types(image):
    with pytest.raises(ImageError, match='uint8 array .height, width, 3.'):
        to_bgr(image)


def test_unknown_order_of_colours(inferencer):
    with pytest.raises(ValueError, match="channel_order='grb'"):
        inferencer(np.zeros((8, 8, 3), np.uint8), NAMES, channel_order='grb')


def test_folders_within_folders_and_lists(pictures, tmp_path):
    for name in ('b.png', 'deep/a.png'):
        save_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    assert list_images(tmp_path) == [str(tmp_path / 'b.png')]
    assert list_images(tmp_path, recursive=True) == [
        str(tmp_path / name) for name in ('b.png', 'deep/a.png')]
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='recursive=True'):
        list_images(tmp_path / 'empty')
    listing = tmp_path / 'list.txt'
    listing.write_text('deep/a.png\n\nhttps://example.org/c.jpg\r\n/abs/d.png\n')
    assert list_images(listing) == [str(tmp_path / 'deep/a.png'), 'https://example.org/c.jpg',
                                    '/abs/d.png']
    with pytest.raises(FileNotFoundError, match='none.txt'):
        list_images(tmp_path / 'none.txt')
    listing.write_text('\n')
    with pytest.raises(ValueError, match='names nothing'):
        list_images(str(listing))
    listing.write_text('deep/a.png', encoding='utf-16')
    assert list_images(listing) == [str(tmp_path / 'deep/a.png')]


def test_names_from_a_file(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('cat\nremote control\n', encoding='utf-8-sig')
    assert make_prompt(path).names == ['cat', 'remote control']
    path.write_text('cat\nremote control\n', encoding='utf-16')
    assert make_prompt(path).names == ['cat', 'remote control']
    path.write_text('cat', encoding='utf-16-le')  # looked for c, zero byte, a ...
    with pytest.raises(ValueError, match='zero bytes'):
        make_prompt(path)
    # a string is never a path: texts may come from elsewhere
    assert make_prompt([str(path)]).names == [str(path)]


def test_a_generator_is_read_as_results_are_taken(inferencer, pictures):
    frames = [mmcv.imread(f'{pictures}/{i}.png') for i in range(3)]
    taken = []

    def video():
        for i in range(1000):
            taken.append(i)
            yield frames[i % 3] if i != 1 else np.zeros((2, 2), bool)
    stream = inferencer.stream(video(), NAMES, batch_size=2)
    first = [next(stream) for _ in range(4)]
    stream.close()
    assert first[1] is None and [r is None for r in first].count(True) == 1
    assert len(taken) <= 10
    wanted = inferencer(frames, NAMES)
    for i in (0, 2, 3):
        assert first[i].to_dict() == wanted[i % 3].to_dict()
    with pytest.raises(ValueError, match='nobody knows how many'):
        inferencer.stream(iter(frames), [['cat'], ['dog'], ['cow']])


def test_a_stream_is_as_long_as_its_images(inferencer, pictures, tmp_path, logged):
    paths = [f'{pictures}/0.png', tmp_path / 'no.png', f'{pictures}/1.png', tmp_path / 'no2.png']
    found = list(inferencer.stream(paths, NAMES, batch_size=3))
    assert [r is None for r in found] == [False, True, False, True]
    assert '2 of 4 images' in logged[0] and 'no2.png' in logged[0]
    assert list(inferencer(iter(paths), NAMES)['predictions'])[3] is None
    with pytest.raises(TypeError, match='out_dir'):
        inferencer.stream(paths, NAMES, out_dir='x')


def test_a_video_is_no_image(inferencer, tmp_path):
    Path(tmp_path, 'a.MP4').write_bytes(b'video')
    with pytest.raises(ImageError, match='is a video: demo.video_demo.py takes those'):
        inferencer(str(tmp_path / 'a.MP4'), NAMES)
