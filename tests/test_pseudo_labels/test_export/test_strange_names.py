"""Names with signs that a format does not know come back as they were, or there is a warning."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
import yaml

from glip_mm.datasets.formats import open_folder
from glip_mm.pseudo_labels.export import FORMATS, Collection, export_labels
from glip_mm.pseudo_labels.export.lost_names import warn_of_changed
from glip_mm.pseudo_labels.export.voc import xml_text
from glip_mm.pseudo_labels.export.yolo import _yaml
from glip_mm.pseudo_labels.label_rows import LabelRows
from tests.test_pseudo_labels.label_world import ROWS, write_labels

NAMES = ['\uffff', '\ufffe', 'a\x00b', 'a\x85b', 'a\u2028b', 'a\u2029b', '\ufeffa', '\x7f\x9f',
         "a'b", 'a"b', '{}', '[x]', '&a', '*a', '!!python/object:os.system', 'a: b', '# a', '猫😀',
         'no', '1', '\\', '\x1b[31m', '<a>&amp;']


@pytest.mark.parametrize('name', NAMES)
def test_yaml_and_xml(name):
    for loader in (yaml.SafeLoader, getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
        assert yaml.load(f'names:\n  0: {_yaml(name)}\n', loader) == dict(names={0: name})
    root = ElementTree.Element('a')
    root.text = xml_text(name)
    assert ElementTree.fromstring(ElementTree.tostring(root)).text == (xml_text(name) or None)


def test_lone_surrogates():
    assert xml_text('a\ud800') == 'a'
    assert _yaml('a\ud800').encode() == b'"a\\ud800"'


#: Separators of some format.
SEPARATORS = ['a:b', '#a', 'a\nb', 'a,b', 'a;b', 'a|b', 'a=b', "it's", '"q"', '- a', 'a\tb', '~',
              'null', 'a. b', '$20 bill', '<a href="b">&c;', '{a, [b]}', 'a  b', '$: coco', 'Cup',
              'cup']
#: Names that some format changes, and what they become there.
CHANGED = {' mug': 'mug', 'a\x00b': 'ab', 'c\rd': 'c\nd'}
#: Format -> kind of loss -> its names, which a warning must tell.
LOST = {'coco': {}, 'odvg': {}, 'yolo': {'from \'yolo\' as others': [' mug']},
        'voc': {'from \'voc\' as others': list(CHANGED),
                'left out of \'labelmap.txt\'': ['a:b', '#a', 'a\nb', '$: coco', 'c\rd']},
        'labelstudio': {'from \'labelstudio\' as others': ['a\x00b'],
                        'shown without their \'$...\'': ['$20 bill']}}


def read_names(out, to):
    if to == 'labelstudio':
        interface = ElementTree.parse(out / 'interface.xml')
        labels = {label.get('value') for label in interface.iter('Label')}
        tasks = json.loads((out / 'tasks.json').read_text())
        assert labels == {name for task in tasks for one in task['predictions'][0]['result']
                          for name in one['value']['rectanglelabels']}
        return labels
    opened = open_folder(out)
    return {row['name'] for row in opened.content(next(iter(opened.splits)))['categories']}


@pytest.mark.parametrize('to', FORMATS)
def test_names_come_back_or_there_is_a_warning(to, images, tmp_path, logged):
    names = [*SEPARATORS, *CHANGED]
    row = dict(filename=ROWS[0]['filename'], height=120, width=200, detection=dict(instances=[
        dict(bbox=[5 * i, 6, 5 * i + 9, 36], label=i, category=name, score=.7)
        for i, name in enumerate(names)]))
    write_labels(tmp_path / 'run', [row])
    (tmp_path / 'run/label_map.json').write_text(json.dumps(dict(enumerate(names))))
    collection = Collection(LabelRows(tmp_path / 'run'), images, images_as='copy', progress=False)
    export_labels(collection, to, tmp_path / 'out')
    assert read_names(tmp_path / 'out', to) == {
        CHANGED[name] if name in LOST[to].get(f"from '{to}' as others", ()) else name
        for name in names}
    assert len(logged) == len(LOST[to])
    for (kind, lost), message in zip(LOST[to].items(), logged):
        assert kind in message and all(repr(name) in message for name in lost), message
        assert not any(f'{name!r} as' in message or f' {name!r},' in message
                       for name in names if name not in lost)
    if to == 'voc':  # what datumaro reads: four fields in each line
        lines = (tmp_path / 'out/labelmap.txt').read_text().splitlines()[1:]
        assert len(lines) == len(names) - 5
        assert all(line.count(':') == 3 and line[0] != '#' for line in lines)


def test_many_lost_names_are_one_line(logged):
    warn_of_changed([f' {i}' for i in range(9)], 'yolo', str.strip)
    warn_of_changed(['a', 'b'], 'yolo', str.strip)
    assert len(logged) == 1 and "' 4' as '4' and 4 more; rename" in logged[0]
