import argparse
import json
import os
from pathlib import Path

import pytest

from glip_mm.datasets.coco_file import read_coco
from glip_mm.datasets.odvg_rules import check_row
from glip_mm.text import Prompt, clean_name
from glip_mm.text.name_checks import find_name_problems
from glip_mm.text.names import listed, read_names, split_custom_entities
from glip_mm_cli.labelling_options import names_of


@pytest.mark.parametrize('raw, cleaned', [
    ('bow_(weapon)', 'bow '),
    ('__background__', ' background '),
    ('a_(b)_c_(d)', 'a '),
    ('a   b', 'a  b'),
    ('  ', ' '),
    ('Cat-Bengal', 'Cat-Bengal'),
    ('fish ', 'fish '),
])
def test_clean_name_is_the_published_one(raw, cleaned):
    assert clean_name(raw) == cleaned


@pytest.mark.parametrize('text, names', [
    ('cat. remote control', ['cat', 'remote control']),
    ('cat. remote control. ', ['cat', 'remote control']),
    ('cat . dog .', ['cat', 'dog']),
    ('st.bernard. cat.', ['st.bernard', 'cat']),
    ('bench', ['bench']),
    ('cat\nremote control\r\n\n', ['cat', 'remote control']),
    ('cat, dog', ['cat, dog']),
])
def test_split_custom_entities(text, names):
    assert split_custom_entities(text) == names


@pytest.mark.parametrize('text', ['', ' ', '. ', '. . .'])
def test_split_custom_entities_without_a_name(text):
    with pytest.raises(ValueError, match='holds no name'):
        split_custom_entities(text)


@pytest.mark.parametrize('data', [
    'cat\r\nräuber\n\n'.encode(), 'cat\nräuber'.encode('utf-8-sig'), 'cat\nräuber'.encode('utf-16'),
    b'\xfe\xff' + 'cat\nräuber'.encode('utf-16-be')])
def test_a_file_of_names(tmp_path, data):
    (tmp_path / 'names.txt').write_bytes(data)
    assert read_names(tmp_path / 'names.txt') == ['cat', 'räuber']


@pytest.mark.parametrize('data, message', [
    ('cat\nräuber'.encode('latin-1'), "names.txt' is not in UTF-8 .line 2: .*0xe4"),
    ('cat'.encode('utf-16-le'), "names.txt', line 1: it holds zero bytes"),
    (b' \n', "names.txt' names nothing")])
def test_no_file_of_names(tmp_path, data, message):
    (tmp_path / 'names.txt').write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_names(tmp_path / 'names.txt')


@pytest.mark.parametrize('make', [os.mkfifo, Path.mkdir, lambda path: None])
def test_what_is_no_file_is_not_waited_for(make, tmp_path):
    make(tmp_path / 'names.txt')
    with pytest.raises(FileNotFoundError, match='names.txt.*no regular file'):
        read_names(tmp_path / 'names.txt')


def test_the_labelling_tool_reads_names_the_same_way(tmp_path):
    args = argparse.Namespace(classes_file=tmp_path / 'names.txt', classes=None)
    args.classes_file.write_bytes('cat\nräuber'.encode('utf-16'))
    assert names_of(args) == ['cat', 'räuber']
    args.classes_file.write_bytes(b'ca\0t')
    with pytest.raises(ValueError, match='names.txt.*zero bytes'):
        names_of(args)


def test_a_string_is_one_name():
    assert listed('cat') == ['cat'] and listed(('cat', 'dog')) == ['cat', 'dog']
    with pytest.raises(TypeError, match=r"did you mean \['ab'\]"):
        Prompt.from_caption('a b', [[0, 1], [2, 3]], names='ab')


def test_a_string_is_one_name_wherever_names_are_listed():
    from glip_mm.datasets.coco_file import categories_of
    from glip_mm.evaluation.tested_datasets import tested_datasets
    from glip_mm.finetuning.prompt_candidates import all_candidates
    from glip_mm.pseudo_labels.export import ClassList
    from glip_mm.pseudo_labels.questions import ClassNames
    assert ClassList('hot dog').names == ClassList.from_arguments('hot dog').names == ['hot dog']
    questions = ClassNames('hot dog', negatives='bun')
    assert (questions.names, questions.negatives) == (['hot dog'], ['bun'])
    assert list(all_candidates(['dog'], templates='a {}')) == ['dog']
    rows = dict(images=[], annotations=[], categories=[dict(id=4, name='x')])
    assert categories_of(rows, 'a.json', 'hot dog') == ((4, ), ('hot dog', ))

    class Data(list):
        metainfo, ann_file = dict(classes='hot dog'), 'a.json'
    assert tested_datasets(Data([0]))[0].classes == ('hot dog', )


def test_names_that_are_read_otherwise():
    ids = {'cat': 5, 'Cat': 5, 'dog': 6, '猫': 1}

    def tokenize(texts):
        return [[ids.get(word, 9) for word in text.split()] for text in texts]

    names = ['cat', 'Cat', 'dog', '猫', 'a,b', 'bus. car', 'bus.', 'word ' * 40, '', ' ']
    prompt = Prompt.from_names(names)
    texts = [prompt.caption[begin:end] for begin, end in prompt.pieces]
    problems = find_name_problems(prompt, texts, tokenize, 1)
    assert problems.same == [('cat', ['cat', 'Cat']), ('a,b', ['a,b', 'bus.'])]
    assert problems.unknown == ['猫'] and problems.long == [('word ' * 40, 40)]
    assert problems.joined == ['a,b', 'bus. car', 'bus.']
    assert len(problems.messages()) == 4
    caption = Prompt.from_caption('a cat, a dog', [[0, 5]])
    assert find_name_problems(caption, [], tokenize, 1).messages() == []


@pytest.mark.parametrize('blank', ['', ' ', '\u200b', '\x07', '\ufeff\u200d', '\u3164', '\u0301'])
def test_names_of_which_nothing_is_to_be_seen(blank, tmp_path):
    for show in (lambda: Prompt.from_names([blank]), lambda: Prompt.from_caption(blank, [[0, 1]]),
                 lambda: split_custom_entities(blank)):
        with pytest.raises(ValueError):
            show()
    (tmp_path / 'names.txt').write_text(f'cat\n{blank}\nd\u200bog\n', encoding='utf-8')
    assert read_names(tmp_path / 'names.txt') == ['cat', 'd\u200bog']
    coco = dict(images=[dict(id=1, file_name='a.jpg', width=9, height=9)], annotations=[],
                categories=[dict(id=1, name=blank)])
    (tmp_path / 'c.json').write_text(json.dumps(coco))
    with pytest.raises(ValueError, match="a text 'name'"):
        read_coco(tmp_path / 'c.json')
    row = dict(filename='a.jpg', width=9, height=9, detection=dict(instances=[
        dict(bbox=[0, 0, 5, 5], label=0, category=blank)]))
    assert [p.cause for p in check_row(row).problems] == ['blank name']
