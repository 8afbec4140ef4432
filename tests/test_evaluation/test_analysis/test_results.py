"""Work directories of tests are read as they were written."""

import json
from dataclasses import replace

import pytest

from glip_mm.evaluation.analysis.ground_truth import read_ground_truth
from glip_mm.evaluation.analysis.results import read_result

from . import generated


def test_suite(tmp_path):
    for name in ('one', 'two'):
        part = generated.make_coco(tmp_path, name, count=3)
        generated.make_run(tmp_path / 'suite' / name, [part])
    result = read_result(tmp_path / 'suite')
    assert [d.name for d in result.datasets] == ['one', 'two'] and result.seconds == 25
    assert result.metrics['two/lvis/APr'] == 0.21 and result.expected['one/lvis/AP'] == 0.3201
    (tmp_path / 'suite' / 'metrics.json').write_text('{"metrics": {"odinw/mean": 0.3}}')
    result = read_result(tmp_path / 'suite', 'all')
    assert result.metrics == {'odinw/mean': 0.3} and len(result.datasets) == 2
    assert 'quality' in result.config and result.name == 'all'


def test_phrases_are_those_of_the_config(tmp_path):
    part = generated.make_phrases(tmp_path, count=4)
    # one image with two sentences: the sample counts, not the file
    lines = part.ann_file.read_text().splitlines()
    second = json.loads(lines[1])
    second['filename'] = json.loads(lines[0])['filename']
    part.ann_file.write_text('\n'.join([lines[0], json.dumps(second), *lines[2:]]))
    part.paths[1] = part.paths[0]
    run = generated.make_run(tmp_path / 'run', [generated.make_coco(tmp_path, count=2), part])
    result = read_result(run).datasets[1]
    truth = read_ground_truth(result)
    assert [prompt.names for prompt in truth.prompts] == [list(names) for names in part.names]
    for i in range(4):
        assert truth.labels[truth.image == i].tolist() == sorted(part.labels[i].tolist())
    moved = [result.images[0]._replace(position=2)]
    with pytest.raises(ValueError, match='sample 2 of .captions. .* its file has changed'):
        read_ground_truth(replace(result, images=moved))
    with pytest.raises(ValueError, match='2 data sets in test_dataloader; .* number 3'):
        read_ground_truth(replace(result, number=2))
    (run / 'config.py').unlink()
    with pytest.raises(ValueError, match='there is no .*config.py'):
        read_ground_truth(result)


@pytest.mark.parametrize('name', ['/{}/ran.py', '../ran.py', 'config.py'])
def test_the_config_of_a_run_is_data(tmp_path, name):
    run = generated.make_run(tmp_path / 'run', [generated.make_coco(tmp_path, count=2)])
    (tmp_path / 'ran.py').write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    if name == 'config.py':
        (tmp_path / 'ran.py').rename(run / 'config.py')
    content = json.loads((run / 'metrics.json').read_text())
    content['config'] = name.format(tmp_path)
    (run / 'metrics.json').write_text(json.dumps(content))
    if name == 'config.py':
        with pytest.raises(ValueError, match='config.py. is not one of values alone'):
            read_result(run)
    else:
        assert read_result(run).config == ''
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('key, value', [
    ('type', 'os.system'), ('pipeline', [dict(type='subprocess.run')]), ('_scope_', 'torch')])
def test_the_test_of_a_run_names_registered_classes(tmp_path, key, value):
    part = generated.make_phrases(tmp_path, count=2)
    run = generated.make_run(tmp_path / 'run', [part])
    text = (run / 'config.py').read_text() + f"test_evaluator = [{ {key: value} !r}]\n"
    (run / 'config.py').write_text(text)
    with pytest.raises(ValueError, match=r'test_evaluator\[0\].*is not used: if you trust it'):
        read_ground_truth(read_result(run).datasets[0])
