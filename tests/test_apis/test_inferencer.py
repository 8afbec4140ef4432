"""GLIPInferencer on a tiny GLIP."""

import errno
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import mmcv
import numpy as np
import pytest

from glip_mm.apis import GLIPInferencer, ImageError
from glip_mm.text import Prompt
from glip_mm.visualization import save_image

NAMES = ['red circle', 'blue star', 'box']
CAPTION = 'a red circle left of a blue star'
SPANS = [[[0, 12]], [[21, 32]]]


def assert_same(result, other, atol=1e-4):
    np.testing.assert_allclose(result.scores, other.scores, atol=1e-6)
    np.testing.assert_allclose(result.boxes, other.boxes, atol=atol)
    assert result.labels.tolist() == other.labels.tolist()
    assert result.names == other.names


def one(inferencer, image, *args, **kwargs):
    return inferencer(image, *args, **kwargs)['predictions'][0]


def test_names_come_back(inferencer, pictures):
    result = one(inferencer, f'{pictures}/0.png', NAMES)
    assert len(result) > 0
    assert result.names == [NAMES[label] for label in result.labels]
    assert len(set(result.names)) > 1
    assert result.size == (128, 96)
    assert (np.diff(result.scores) <= 0).all()


def test_path_array_folder_and_list_agree(inferencer, pictures):
    paths = [f'{pictures}/{i}.png' for i in range(3)]
    folder = inferencer(pictures, NAMES)['predictions']
    assert [result.path for result in folder] == paths
    arrays = inferencer([mmcv.imread(path) for path in paths], NAMES)['predictions']
    listed = inferencer([Path(path) for path in paths], NAMES)['predictions']
    for a, b, c in zip(folder, arrays, listed):
        assert_same(a, b)
        assert_same(a, c)
    assert not np.allclose(folder[0].scores, folder[1].scores)


def test_address(inferencer, pictures, monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    path = f'{pictures}/1.png'
    expected = one(inferencer, path, NAMES)
    assert_same(one(inferencer, f'file://{path}', NAMES), expected)
    handler = partial(SimpleHTTPRequestHandler, directory=pictures)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_port}'
        assert_same(one(inferencer, f'{address}/1.png?size=big', NAMES), expected)
        with pytest.raises(ImageError, match='fetched.*404'):
            inferencer(f'{address}/none.png', NAMES)
        server.shutdown()


def test_grey_and_transparent_arrays(inferencer):
    grey = np.full((96, 128), 90, np.uint8)
    colour = np.full((96, 128, 3), 90, np.uint8)
    alpha = np.concatenate([colour, np.zeros_like(colour[..., :1])], axis=2)
    expected = one(inferencer, colour, NAMES)
    assert_same(one(inferencer, grey, NAMES), expected)
    assert_same(one(inferencer, alpha, NAMES), expected)


@pytest.mark.parametrize('batch_size', [2, 3])
def test_batch_equals_single(inferencer, pictures, batch_size):
    single = inferencer(pictures, NAMES)['predictions']
    batch = inferencer(pictures, NAMES, batch_size=batch_size)['predictions']
    for a, b in zip(single, batch):
        assert_same(a, b)


def test_an_option_that_is_misspelt(inferencer, pictures):
    for call in (inferencer, inferencer.stream):
        with pytest.raises(TypeError, match="no option 'custom_entity'; did you mean 'custom_enti"):
            call(pictures, ['cat'], custom_entity=True)


def test_another_prompt_for_each_image(inferencer, pictures):
    prompts = [NAMES, Prompt.from_caption(CAPTION, SPANS), ['star']]
    single = [one(inferencer, f'{pictures}/{i}.png', p) for i, p in enumerate(prompts)]
    batch = inferencer(pictures, prompts, batch_size=3)['predictions']
    for a, b in zip(single, batch):
        assert_same(a, b)
    assert set(batch[1].names) <= {'a red circle', 'a blue star'}


def test_a_caption_for_each_image(inferencer, pictures):
    captions = ['a cat', 'a dog', CAPTION]
    spans = [[[0, 5]], [[2, 5]], SPANS]
    results = inferencer(pictures, captions, spans=spans, per_image=True)['predictions']
    assert [result.prompt.caption for result in results] == captions
    assert [result.prompt.names[0] for result in results] == ['a cat', 'dog', 'a red circle']


def test_strings_are_names(inferencer, pictures):
    image = f'{pictures}/0.png'
    names = one(inferencer, image, ['cat', 'remote control'])
    for text in ('cat. remote control', 'cat . remote control .'):
        assert_same(one(inferencer, image, text, custom_entities=True), names)
    assert one(inferencer, image, '$: coco').prompt.names[:2] == ['person', 'bicycle']


def test_caption_with_spans(inferencer, pictures):
    image = f'{pictures}/0.png'
    result = one(inferencer, image, CAPTION, spans=SPANS)
    assert set(result.names) == {'a red circle', 'a blue star'}
    assert_same(one(inferencer, image, CAPTION, tokens_positive=SPANS), result)


def test_long_vocabulary(inferencer, pictures):
    vocabulary = [f'class {i}' for i in range(300)]
    result = one(inferencer, f'{pictures}/0.png', vocabulary)
    assert result.names == [vocabulary[label] for label in result.labels]
    # several chunks of up to 20 detections
    assert len(result) > 20 and result.labels.max() > 200


def test_chunked_size_is_for_one_call(inferencer, pictures):
    image = f'{pictures}/0.png'
    whole = one(inferencer, image, NAMES)
    parts = one(inferencer, image, NAMES, chunked_size=1)
    assert len(parts) > len(whole)
    alone = one(inferencer, image, NAMES[:1])
    np.testing.assert_allclose(parts.select(names=NAMES[:1]).scores, alone.scores, atol=1e-6)
    assert_same(one(inferencer, image, NAMES), whole)


def test_a_shortlist_is_for_one_call(inferencer, pictures):
    image = f'{pictures}/0.png'
    names = [f'thing {i}' for i in range(9)]
    whole = one(inferencer, image, names)
    short = one(inferencer, image, names, shortlist=3)
    assert len(set(whole.labels)) > 3 == len(set(short.labels))
    assert short.names == [names[label] for label in short.labels]
    alone = one(inferencer, image, [names[label] for label in sorted(set(short.labels))])
    assert short.names == alone.names
    np.testing.assert_allclose(short.scores, alone.scores, atol=1e-6)
    assert_same(one(inferencer, image, names, shortlist=dict(size=9, scale=0.5)), whole)
    tiles = one(inferencer, image, names, shortlist=3, tile=64)  # each tile has its own
    assert len(set(tiles.labels)) >= 3 and tiles.names == [names[i] for i in tiles.labels]
    assert_same(one(inferencer, image, names), whole)
    with pytest.raises(ValueError, match='shortlist.size=0'):
        inferencer(image, names, shortlist=0)


def test_prompt_is_encoded_once(config, checkpoint, pictures):
    inferencer = GLIPInferencer(config, checkpoint, device='cpu', show_progress=False)
    calls = []
    inferencer.model.language_model.encoder.register_forward_hook(lambda *_: calls.append(1))
    inferencer.set_prompt(NAMES)
    first = inferencer(pictures)['predictions']
    again = inferencer(pictures, batch_size=2)['predictions']
    assert len(calls) == 1
    assert_same(first[2], again[2])
    inferencer.set_prompt(CAPTION, SPANS)
    inferencer(pictures)
    assert len(calls) == 2


def test_one_bad_image_costs_nothing_else(inferencer, pictures, tmp_path):
    for path in Path(pictures).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / '1.png').write_bytes(b'not a picture')
    output = inferencer(str(tmp_path), NAMES, batch_size=2)
    assert [entry.index for entry in output['errors']] == [1]
    assert str(tmp_path / '1.png') in output['errors'][0].message
    assert output['predictions'][1] is None
    assert_same(output['predictions'][2], one(inferencer, f'{pictures}/2.png', NAMES))


def one_line(info):
    message = str(info.value)
    assert message and '\n' not in message
    return message


def test_bad_images(inferencer, pictures, tmp_path):
    with pytest.raises(FileNotFoundError) as info:
        inferencer('/no/such.jpg', NAMES)
    assert '/no/such.jpg' in one_line(info)
    broken = tmp_path / 'broken.jpg'
    broken.write_bytes(b'')
    cut = tmp_path / 'cut.png'
    cut.write_bytes(Path(pictures, '0.png').read_bytes()[:150])
    for path in (broken, cut):
        with pytest.raises(ImageError) as info:
            inferencer(str(path), NAMES)
        assert str(path) in one_line(info)
    with pytest.raises(ImageError, match='uint8'):
        inferencer(np.zeros((8, 8, 3), np.float32), NAMES)
    with pytest.raises(TypeError, match='inputs'):
        inferencer(3, NAMES)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='holds no image'):
        inferencer(str(tmp_path / 'empty'), NAMES)
    with pytest.raises(ValueError, match='none of the 2 images') as info:
        inferencer([str(broken), '/no/such.jpg'], NAMES)
    one_line(info)


@pytest.mark.parametrize('texts, kwargs, words', [
    (None, {}, 'set_prompt'),
    (None, {'spans': SPANS}, 'texts is None'),
    ('', {}, 'empty'),
    ([], {}, 'empty'),
    ([' '], {}, 'holds a word'),
    (' . ', {'custom_entities': True}, 'name'),
    ('run quickly', {}, 'no noun phrase|textblob'),
    (CAPTION, {'spans': [[[5, 99]]]}, r'\[5, 99\]'),
    (CAPTION, {'spans': [[[5, 5]]]}, r'\[5, 5\]'),
    (CAPTION, {'spans': []}, 'no phrase'),
    (NAMES, {'spans': SPANS}, 'one or the other'),
    ([NAMES, NAMES], {}, 'each of the 1 images'),
    ('$: nowhere', {}, 'nowhere'),
    (NAMES, {'batch_size': 0}, 'batch_size=0'),
    (['word ' * 300], {}, 'max_tokens'),
])
def test_bad_texts(inferencer, pictures, texts, kwargs, words):
    with pytest.raises((ValueError, ImportError), match=words) as info:
        inferencer(f'{pictures}/0.png', texts, **kwargs)
    one_line(info)


def test_outputs(inferencer, pictures, tmp_path):
    images = [f'{pictures}/0.png', f'{pictures}/0.png', mmcv.imread(f'{pictures}/1.png')]
    output = inferencer(images, NAMES, out_dir=tmp_path, pred_score_thr=0.0, return_vis=True)
    files = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*') if p.is_file())
    assert files == ['preds/0.json', 'preds/00000002.json', 'preds/0_1.json',
                     'vis/0.png', 'vis/00000002.jpg', 'vis/0_1.png']
    saved = json.loads((tmp_path / 'preds/0.json').read_text())
    assert saved['names'] == output['predictions'][0].names
    assert saved['caption'] == 'red circle. blue star. box'
    np.testing.assert_allclose(saved['boxes'], output['predictions'][0].boxes, atol=0.006)
    picture = mmcv.imread(str(tmp_path / 'vis/0.png'))[..., ::-1]
    np.testing.assert_array_equal(picture, output['visualization'][0])


def test_outputs_can_be_left_out(inferencer, pictures, tmp_path):
    output = inferencer(f'{pictures}/0.png', NAMES, out_dir=tmp_path, no_save_vis=True,
                        no_save_pred=True)
    assert not list(tmp_path.rglob('*')) and output['visualization'] == []


def test_built_model(config, inferencer, pictures):
    again = GLIPInferencer(inferencer.model, cfg=config, show_progress=False)
    image = f'{pictures}/0.png'
    assert_same(one(again, image, NAMES), one(inferencer, image, NAMES))
    with pytest.raises(ValueError, match='cfg=cfg'):
        GLIPInferencer(inferencer.model)


def test_names_that_the_model_misreads_are_reported_once(inferencer, pictures, caplog):
    from mmengine.logging import MMLogger
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        for _ in range(2):
            one(inferencer, f'{pictures}/0.png', ['猫', 'dog_', 'dog (big)', 'cat, bus', 'cow.'])
        one(inferencer, f'{pictures}/0.png', 'cup. coffee maker', custom_entities=True)
    finally:
        logger.removeHandler(caplog.handler)
    text = caplog.text
    assert text.count("reads them as [UNK]: ['猫']") == 1
    assert text.count("'dog' <- ['dog_', 'dog (big)']") == 1
    assert text.count("taken as one name: ['cat, bus', 'cow.']") == 1
    assert 'coffee' not in text


@pytest.fixture
def busy_threads():
    """Threads that take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_share_an_inferencer(inferencer, pictures, busy_threads):
    pair = [f'{pictures}/{i}.png' for i in range(2)]
    calls = [(['red circle', 'box'], dict(chunked_size=1)), (CAPTION, dict(spans=SPANS)),
             (NAMES, dict(chunked_size=2)), ('box. star', dict(custom_entities=True)),
             ([['star'], ['box']], dict(inputs=pair, batch_size=2)),
             ([['circle'], ['a red star']], dict(inputs=pair, batch_size=2)),
             ([f'thing {i}' for i in range(9)], dict(chunked_size=4)), (NAMES, {})]

    def run(call):
        texts, options = call
        # other prompts each time, so that caches change and tokenizers are busy
        found = inferencer(texts=texts, **dict(dict(inputs=pair[0]), **options))['predictions']
        return [(r.names, r.scores.tolist(), r.boxes.tolist()) for r in found]

    wanted = [run(call) for call in calls]
    inferencer.model.language_model.clear_cache()
    settings = inferencer.model.test_cfg
    cache, most = inferencer.model.language_model._cache, 65536
    cache.most = 20  # entries come and go
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(run, calls * 2)) == wanted * 2
    finally:
        cache.most = most
    assert inferencer.model.test_cfg is settings


def test_tokenizers_are_used_by_one_thread_at_a_time(inferencer, busy_threads):
    model = inferencer.model.language_model
    texts = [f'a {i} ' * 40 for i in range(40)]

    def both(i):
        tokens = model.tokenize(texts[i:i + 2])
        return model.count_tokens(texts[i:i + 1]), tokens.input_ids.shape

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(both, [i % 30 for i in range(600)])) == [
            both(i % 30) for i in range(600)]


def test_a_bad_image_ends_no_run_wherever_it_fails(inferencer, pictures, tmp_path, monkeypatch):
    """It fails while it is prepared, predicted, drawn or written."""
    from glip_mm.apis import inferencer as module
    folder = tmp_path / 'images'
    folder.mkdir()
    source = sorted(Path(pictures).glob('*.*'))[0].read_bytes()
    latin = os.fsdecode(b'caf\xe9.jpg')
    long = ('x' * 251 + '.jpg', '雪' * 83 + '.jpg')
    for name in ('a.jpg', 'b.jpg', 'draw.jpg', 'z.jpg', latin, *long):
        (folder / name).write_bytes(source)
    save_image(folder / 'thin.png', np.zeros((1, 3000, 3), np.uint8))  # its height becomes 0
    predict, draw = inferencer._predict, inferencer._draw

    def predict_some(samples, settings):
        if any('b.jpg' in sample['data_samples'].img_path for sample in samples):
            raise IndexError('of the model')
        return predict(samples, settings)

    def draw_some(pixels, result):
        if 'draw.jpg' in result.path:
            raise ZeroDivisionError
        return draw(pixels, result)

    def save_some(path, picture):
        if path.name == 'a.jpg':
            raise ValueError('too large for JPEG')
        return save_image(path, picture)
    monkeypatch.setattr(inferencer, '_predict', predict_some)
    monkeypatch.setattr(inferencer, '_draw', draw_some)
    monkeypatch.setattr(module, 'save_image', save_some)
    out = tmp_path / 'out'
    found = inferencer(str(folder), ['cat'], batch_size=3, out_dir=out)
    files = sorted(folder.iterdir())
    messages = {Path(e.path).name: e.message for e in found['errors']}
    assert set(messages) == {'a.jpg', 'b.jpg', 'draw.jpg', 'thin.png'}
    assert messages['b.jpg'].endswith("b.jpg': of the model")
    assert messages['draw.jpg'].endswith("draw.jpg': ZeroDivisionError")
    assert messages['a.jpg'].endswith("a.jpg': too large for JPEG")
    missing = [f.name for f, r in zip(files, found['predictions']) if r is None]
    assert missing == ['b.jpg', 'thin.png']
    assert len(list((out / 'preds').iterdir())) == 6 and len(list((out / 'vis').iterdir())) == 4
    paths = {json.loads(path.read_bytes())['path'] for path in (out / 'preds').iterdir()}
    assert str(folder / latin) in paths


def test_a_full_disk_ends_the_run(inferencer, pictures, tmp_path, monkeypatch):
    from glip_mm.apis import inferencer as module

    def full(path, picture):
        raise OSError(errno.ENOSPC, 'No space left on device', str(path))
    monkeypatch.setattr(module, 'save_image', full)
    with pytest.raises(OSError, match='No space left on device'):
        inferencer(str(pictures), ['cat'], out_dir=tmp_path / 'out')


def test_no_picture_is_drawn_where_images_come_from(inferencer, pictures, tmp_path):
    (tmp_path / 'vis').mkdir()
    first = shutil.copy(f'{pictures}/1.png', tmp_path / '0.png')  # drawn, it would be the second
    source = shutil.copy(f'{pictures}/0.png', tmp_path / 'vis' / '0.png')
    before = Path(source).read_bytes()
    for inputs in (source, tmp_path / 'vis', [first, source]):
        with pytest.raises(ValueError, match="images are read from '.*vis', where pictures would"):
            inferencer(inputs, ['red circle'], out_dir=tmp_path)
    with pytest.raises(ValueError, match='(?s)none of the 1 images could be.*where pictures would'):
        inferencer(iter([source]), ['red circle'], out_dir=tmp_path)
    with pytest.raises(ValueError, match='give another output'):
        inferencer(source, ['red circle']).save(tmp_path)
    assert Path(source).read_bytes() == before and len(os.listdir(tmp_path / 'vis')) == 1
