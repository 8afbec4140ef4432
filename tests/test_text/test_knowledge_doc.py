"""docs/knowledge.md: its files load, its examples are true, its options are all there are."""

import doctest
import inspect
import re
from pathlib import Path

from glip_mm.models.detectors.class_text_batch import ClassTextBatcher

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / 'docs' / 'knowledge.md').read_text(encoding='utf-8')


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'^```yaml\n(.*?)^```', TEXT, re.M | re.S)
    for name, block in zip(('knowledge.yaml', 'fields.yaml'), blocks, strict=True):
        Path(name).write_text(block, encoding='utf-8')
    examples = [b for b in re.findall(r'^```python\n(.*?)^```', TEXT, re.M | re.S) if '>>>' in b]
    test = doctest.DocTestParser().get_doctest('\n'.join(examples), {}, 'knowledge.md', None, 0)
    runner, said = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF), []
    runner.run(test, out=said.append)
    assert runner.tries == 4 and not runner.failures, ''.join(said)


def test_options_and_files():
    rows = dict(re.findall(r'^\| `(\w+)` \| (\S+) \|', TEXT, re.M))
    options = list(inspect.signature(ClassTextBatcher).parameters.values())[1:]
    shown = {None: ('none', 'all')}
    assert set(rows) == {o.name for o in options}
    for option in options:
        assert rows[option.name].strip('`') in shown.get(option.default, (repr(option.default),))
    for path in re.findall(r'(?:configs|tools|demo)/[\w./-]+\.(?:py|yaml)', TEXT):
        assert (ROOT / path).is_file(), path
