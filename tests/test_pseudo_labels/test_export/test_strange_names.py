"""Names with signs that a format does not know are written so that its parsers read them."""

import xml.etree.ElementTree as ElementTree

import pytest
import yaml

from glip_mm.pseudo_labels.export.voc import xml_text
from glip_mm.pseudo_labels.export.yolo import _yaml

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
