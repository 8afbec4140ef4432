"""JSON files of users that nest without end or are cut off are refused in a sentence."""

import pytest

from glip_mm.apis.leaderboard import _category_ids
from glip_mm.apis.suite import _read_prompts
from glip_mm.datasets.converters.tsv_files import _label_map, read_row_numbers
from glip_mm.finetuning.class_prompts import read_class_prompts
from glip_mm.finetuning.odinw import odinw_rows
from glip_mm.finetuning.prompt_candidates import read_candidates

READERS = {
    'class prompts': lambda path: read_class_prompts(path, ['cat']),
    'candidates': lambda path: read_candidates(path, ['cat']),
    'prompts of a suite': lambda path: _read_prompts(str(path), ()),
    'sets of ODinW': odinw_rows,
    'rows of a bundle': read_row_numbers,
    'label map of a bundle': _label_map,
    'leaderboard': lambda path: _category_ids(dict(name='a', ann_file=path, classes=['cat'])),
}


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('text', ['{"cat": ' * 5000, '[' * 5000 + ']' * 5000, '{"cat": 1', '[1]',
                                  '{"cat": ' + '9' * 5000 + '}', '{"cat": NaN}', '{"cat": [[]]}'])
def test_readers(tmp_path, reader, text):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='a.json'):
        READERS[reader](path)


def test_prompts_of_a_suite_are_objects(tmp_path):
    (tmp_path / 'a.json').write_text('{"pets": ["cat"]}')
    with pytest.raises(ValueError, match='must be {data set: {class:'):
        _read_prompts(str(tmp_path / 'a.json'), ())
