"""Small files of users: the same in every encoding, whoever reads them."""

import json
import os
from pathlib import Path

import pytest

from glip_mm.apis.inputs import list_images
from glip_mm.apis.prompts import make_prompt
from glip_mm.datasets.converters.voc import read_classes
from glip_mm.datasets.data_error import read_json
from glip_mm.finetuning.prompt_candidates import read_candidates
from glip_mm.text.knowledge import Knowledge
from glip_mm.text.text_file import read_text
from glip_mm.thresholds import Thresholds
from glip_mm.visualization.training_log import read_log


def of_images(path):
    return [Path(name).name for name in list_images(path)]


def of_log(path):
    return read_log(path).series('loss').values.tolist()


READERS = [
    ('a.txt', 'räuber\nfox\n', read_text), ('a.txt', 'räuber\nfox\n', make_prompt),
    ('a.txt', 'räuber\nfox\n', of_images), ('a.txt', 'räuber\nfox\n', read_classes),
    ('a.json', '{"räuber": 1}', read_json),
    ('a.json', '{"default": 0.5, "thresholds": {"räuber": 0.1}}', Thresholds.read),
    ('a.json', '{"räuber": "one who robs"}', lambda path: Knowledge(path)('räuber')),
    ('a.yaml', 'räuber: one who robs\n', lambda path: Knowledge(path)('räuber')),
    ('a.yaml', 'räuber: [dieb]\n', lambda path: read_candidates(path, ['räuber'])),
    ('a.json', '{"räuber": ["dieb"]}', lambda path: read_candidates(path, ['räuber'])),
    ('a.json', '{"loss": 1, "iter": 1, "ä": 0}\n{"loss": 2, "iter": 2}\n', of_log)]


@pytest.mark.parametrize('name, text, read', READERS)
def test_every_reader(name, text, read, tmp_path):
    path = tmp_path / name
    path.write_bytes(text.encode())
    wanted = read(path)
    for data in (text.encode('utf-8-sig'), text.encode('utf-16'),
                 b'\xfe\xff' + text.encode('utf-16-be')):
        path.write_bytes(data)
        assert read(path) == wanted or repr(read(path)) == repr(wanted)
    path.write_bytes(text.encode('latin-1'))
    with pytest.raises(ValueError, match=f'{name}.*(not in UTF-8|no file of thresholds)'):
        read(path)
    path.unlink()
    for make in (os.mkfifo, Path.mkdir):
        make(path)
        with pytest.raises((FileNotFoundError, ValueError), match=name):
            if read is of_images and path.is_dir():
                raise FileNotFoundError(name)  # a folder of images
            read(path)
        path.unlink() if path.is_fifo() else path.rmdir()


@pytest.mark.parametrize('row', [
    {'iter': 10**400}, {'iter': [1]}, {'iter': None}, {'step': 'a'}, {'loss': 10**400}])
def test_rows_of_a_log_that_are_no_numbers(row, tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(f'{json.dumps(row)}\n' + json.dumps(dict(loss=1, iter=1)))
    with pytest.raises(ValueError, match='a.json:1 is not a JSON object of numbers'):
        read_log(path)
