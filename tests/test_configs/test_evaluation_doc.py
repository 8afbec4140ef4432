"""docs/evaluation.md agrees with the configs and the metafile."""

import re
from pathlib import Path

from mmengine.fileio import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / 'docs/evaluation.md').read_text()
#: The main checkpoint of each model; the best ones on LVIS were tested on little else.
MODELS = [m for m in load(ROOT / 'configs/glip/metafile.yml')['Models']
          if not m['Name'].endswith('_lvisbest')]


def results(model, **wanted):
    return [r['Metrics'] for r in model['Results']
            if all(r.get(k.capitalize()) == v for k, v in wanted.items())]


def test_files_and_models_exist():
    paths = set(re.findall(r'(?:configs|tools)/[a-z_][\w./+-]+\.(?:py|sh|json|yml)', TEXT))
    assert len(paths) >= 7
    for path in paths:
        assert (ROOT / path).is_file(), path
    for model in MODELS:
        assert f"`{model['Name']}`" in TEXT
    for weights in re.findall(r'\S+_mmdet-\w+\.pth', TEXT):
        assert any(m['Weights'].endswith(weights) for m in MODELS)


def test_published_numbers_are_those_of_the_metafile():
    names = [m['Metadata']['Published Name'] for m in MODELS]
    assert names == ['GLIP-T (A)', 'GLIP-T (B)', 'GLIP-T (C)', 'GLIP-T', 'GLIP-L']
    coco = re.search(r'A ([\d.]+), B ([\d.]+), C ([\d.]+), GLIP-T ([\d.]+), GLIP-L ([\d.]+)\.',
                     TEXT).groups()
    assert [float(v) for v in coco] == [results(m, benchmark='coco')[0]['box AP'] for m in MODELS]
    for model, name in zip(MODELS, names):
        cells = [c.strip() for c in re.search(rf'(?m)^\| {re.escape(name)} \|(.*\(.*)\|$', TEXT
                                              ).group(1).split('|')]
        minival, val = (results(model, benchmark=f'lvis_{s}')[0] for s in ('minival', 'val'))
        wanted = [minival[k] for k in ('box AP', 'box APr', 'box APc', 'box APf')]
        assert [float(v) for v in re.findall(r'\d+\.\d', cells[1])] == wanted
        assert re.findall(r'\d+\.\d', cells[3]) == [str(val['box AP'])]


def test_odinw_averages_are_those_of_the_metafile():
    for benchmark in ('odinw13', 'odinw13_prompts', 'odinw35'):
        row = re.search(rf'(?m)^\| `{benchmark}`[^|]*\|(.*)\|$', TEXT).group(1)
        assert [float(v) for v in re.findall(r'\d+\.\d', row)] == [
            results(m, benchmark=benchmark)[0]['average box AP'] for m in MODELS[:3]]
