"""A small folder of labels: grounding rows of two shards, and detection rows."""

import io
import json
import tarfile


def row(name, caption, regions, without=(), width=200, height=120):
    """An ODVG grounding row; a region is its phrase, its boxes and their scores."""
    def place(phrase, begin=0):
        start = caption.index(phrase, begin)
        return [[start, start + len(phrase)]]
    return dict(filename=name, height=height, width=width, grounding=dict(
        caption=caption,
        regions=[dict(phrase=phrase, tokens_positive=place(phrase), bbox=boxes, score=scores)
                 for phrase, boxes, scores in regions],
        without_box=[dict(phrase=phrase, tokens_positive=place(phrase)) for phrase in without]))


ROWS = [
    row('a/1.jpg', 'a Dog and the dog on a sofa & <more>', [
        ('a Dog', [[10.25, 20.5, 60.13, 80.07]], [0.9]),
        ('the dog', [[10.5, 20.5, 60.0, 80.0], [100.0, 0.0, 200.0, 119.99]], [0.7, 0.55]),
        ('a sofa', [[0, 30, 190.4, 120]], [0.6123])], ['more']),
    row('a/2.jpg', 'a big puppy', [('big puppy', [[3.3, 4.4, 55.5, 66.6]], [0.8])]),
    row('a/3.jpg', 'a cat', [('cat', [[5, 5, 20, 21]], [0.31])]),
    row('b/1.jpg', 'ein Äffchen', [('Äffchen', [[1.1, 2.2, 33.3, 44.4]], [0.5])], width=64,
        height=48),
]


def write_labels(folder, rows):
    """A folder as tools/pseudo_label.py leaves it: one shard for the last row, one for others."""
    for name, part in (('00000', rows[:-1]), ('00001', rows[-1:])):
        path = folder / 'labels' / f'{name}.jsonl'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(json.dumps(r, ensure_ascii=False) + '\n' for r in part),
                        encoding='utf-8')
    return folder


def write_shard(path, rows, images):
    """A tar shard as tools/pseudo_label.py writes it: 000.jpg and 000.json, ..."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, 'w') as tar:
        for i, one in enumerate(rows):
            record = json.dumps({**one, 'filename': f'{i:03d}.jpg'}).encode()
            for name, content in ((f'{i:03d}.jpg', (images / one['filename']).read_bytes()),
                                  (f'{i:03d}.json', record)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
