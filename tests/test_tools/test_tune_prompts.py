"""``tools/analysis_tools/tune_prompts.py`` on a tiny model, and that tests read what it chose."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from glip_mm.evaluation.predictions import PredictionStore
from glip_mm.finetuning.prompt_detector import PromptDetector

ROOT = Path(__file__).parents[2]
CANDIDATES = dict(cat=['{} which is red', 'feline'], dog=[dict(prefix='blue ')])


@pytest.fixture
def candidates(tmp_path) -> str:
    (tmp_path / 'candidates.json').write_text(json.dumps(CANDIDATES))
    return str(tmp_path / 'candidates.json')


@pytest.fixture
def call(tmp_path, tiny, pets, monkeypatch, capsys):
    """Run the tool and return the folder and what it said."""
    def main(*options):
        monkeypatch.setattr(sys, 'argv', [
            'tune_prompts.py', '--data', str(pets), '--config', tiny[0], '--checkpoint', tiny[1],
            '--work-dir', str(tmp_path / 'words'), '--device', 'cpu', *map(str, options)])
        runpy.run_path(str(ROOT / 'tools/analysis_tools/tune_prompts.py'), run_name='__main__')
        return tmp_path / 'words', capsys.readouterr().out
    return main


@pytest.fixture
def asked(monkeypatch) -> list:
    """(image, caption) of all that is predicted."""
    seen = []
    predict = PromptDetector.__call__

    def spy(self, index, prompts):
        seen.extend((index, p.caption) for p in prompts)
        return predict(self, index, prompts)
    monkeypatch.setattr(PromptDetector, '__call__', spy)
    return seen


def test_files_and_what_is_scored_once(call, candidates, asked):
    folder, said = call('--candidates', candidates, '--bootstrap', 100)
    assert '5 ways to say 2 classes, 4 images' in said and 'tools/finetune.py' in said
    table = (folder / 'results.md').read_text()
    assert '| [cat] which is red |' in table and 'All classes: ' in table and table[:-1] in said
    results = json.loads((folder / 'results.json').read_text())
    assert [t['words'] for t in results['trials']] == [
        'cat', '[cat] which is red', 'feline', 'dog', 'blue [dog]']
    assert [t['boxes'] for t in results['trials'][::3]] == [3, 3]
    assert (folder / 'results.png').read_bytes()[:4] == b'\x89PNG'
    # four images are fewer than prove anything
    assert {t['verdict'] for t in results['trials']} == {'', 'few images'}
    chosen = {t['name']: t for t in results['trials'] if t['chosen']}
    assert set(json.loads((folder / 'prompts.json').read_text())) == {
        name for name, t in chosen.items() if t['override']}
    # each prompt once for each image
    assert len(asked) == len(set(asked)) >= 4 * 4
    assert (0, 'cat which is red. dog') in asked
    asked.clear()
    assert call('--candidates', candidates, '--bootstrap', 100)[0] and not asked
    assert (folder / 'results.md').read_text() == table
    # another candidate is all that is new
    Path(candidates).write_text(json.dumps(dict(CANDIDATES, cat=[*CANDIDATES['cat'], 'tom'])))
    call('--candidates', candidates, '--bootstrap', 0)
    assert {caption.split('.')[0] for _, caption in asked} <= {'tom', chosen['cat']['words']}
    assert {i for i, caption in asked if caption.startswith('tom')} == {0, 1, 2, 3}


def test_an_interrupted_run_goes_on(call, candidates, asked, monkeypatch):
    monkeypatch.setattr('glip_mm.finetuning.prompt_scores.SAVE_SECONDS', 0)
    whole = PromptDetector._encoded

    def breaks(self, index):
        if index == 2:
            raise KeyboardInterrupt
        return whole(self, index)
    monkeypatch.setattr(PromptDetector, '_encoded', breaks)
    with pytest.raises(KeyboardInterrupt):
        call('--candidates', candidates, '--bootstrap', 0)
    monkeypatch.setattr(PromptDetector, '_encoded', whole)
    asked.clear()
    call('--candidates', candidates, '--bootstrap', 0)
    assert {i for i, caption in asked if caption.startswith('feline.')} == {2, 3}


def finetune(monkeypatch, *options):
    """Run ``tools/finetune.py``, and the tools that it runs, in this process."""
    outside = subprocess.run

    def run(command, *args, **kwargs):
        if not str(command[1]).endswith('.py'):
            return outside(command, *args, **kwargs)
        monkeypatch.setattr(sys, 'argv', command[1:])
        runpy.run_path(command[1], run_name='__main__')
        return SimpleNamespace(returncode=0)
    monkeypatch.setattr(subprocess, 'run', run)
    run([sys.executable, str(ROOT / 'tools/finetune.py'), *map(str, options)])


def test_finetune_reads_the_chosen_words(call, pets, tiny, tmp_path, monkeypatch):
    """Without a test split val is tested: detections are those that the words were chosen by."""
    shutil.rmtree(pets / 'test')
    folder, _ = call('--templates', '{} which is flat and round', '--bootstrap', 0)
    stores = [PredictionStore(p) for p in (folder / 'predictions').iterdir()]
    captions = {s.meta['caption']: s for s in stores}
    (tmp_path / 'prompts.json').write_text(json.dumps(dict(cat=dict(
        suffix=' which is flat and round'))))
    finetune(monkeypatch, '--data', pets, '--config', tiny[0], '--checkpoint', tiny[1],
             '--shots', 0, '--prompts', tmp_path / 'prompts.json', '--workers', 0,
             '--no-report', '--work-dir', tmp_path / 'run')
    tested = PredictionStore(tmp_path / 'run/seed3/test/predictions')
    wanted, plain = captions['cat which is flat and round. dog'], captions['cat. dog']
    for prediction in tested:
        np.testing.assert_array_equal(prediction.scores, wanted[prediction.index].scores)
        np.testing.assert_array_equal(prediction.bboxes, wanted[prediction.index].bboxes)
        assert not np.array_equal(prediction.scores, plain[prediction.index].scores)
    results = json.loads((folder / 'results.json').read_text())
    trial = results['trials'][1]
    assert trial['words'] == '[cat] which is flat and round'
    # the mean over classes is the AP that a test reports
    reported = json.loads((tmp_path / 'run/results.json').read_text())['mean']['AP']
    assert trial['mean_AP'] == pytest.approx(reported, abs=1e-6)


def test_published_prompts_of_odinw(call, pets, tmp_path):
    rows = [dict(name='Pets', root=pets.name, classes=['cat', 'dog'], in_13=True, evaluated='val',
                 prompt=[None, dict(suffix=' that barks')],
                 splits={s: [f'{d}/_annotations.coco.json', d] for s, d in
                         dict(train='train', val='valid', test='test').items()})]
    (tmp_path / 'sets.json').write_text(json.dumps(dict(odinw=rows)))
    folder, _ = call('--data', 'odinw:Pets', '--sets', tmp_path / 'sets.json', '--odinw-root',
                     tmp_path, '--templates', 'my {}', '--bootstrap', 0)
    trials = json.loads((folder / 'results.json').read_text())['trials']
    assert [t['words'] for t in trials] == [
        'cat', 'my [cat]', 'dog', '[dog] that barks', 'my [dog]']
    # the search begins with what is published
    captions = {PredictionStore(p).meta['caption'] for p in (folder / 'predictions').iterdir()}
    assert {'cat. dog that barks', 'my cat. dog that barks'} < captions


def test_some_images_and_no_room(call, candidates, asked):
    folder, _ = call('--candidates', candidates, '--max-images', 2, '--feature-memory', 0,
                     '--bootstrap', 0)
    few = {i for i, _ in asked}
    assert len(few) == 2
    before = json.loads((folder / 'results.json').read_text())
    assert before['num_images'] == 2
    asked.clear()
    # more images are more of the same
    call('--candidates', candidates, '--max-images', 3, '--bootstrap', 0)
    assert len({i for i, _ in asked} - few) == 1


def test_prompts_in_batches_as_on_a_gpu(call, candidates, tmp_path, monkeypatch):
    folder, _ = call('--candidates', candidates, '--bootstrap', 0)
    monkeypatch.setattr('glip_mm.finetuning.prompt_detector.chunks_at_once', lambda feats: 2)
    call('--candidates', candidates, '--bootstrap', 0, '--work-dir', tmp_path / 'batches')
    for path in (tmp_path / 'batches/predictions').iterdir():
        alone = PredictionStore(folder / 'predictions' / path.name)
        for prediction in PredictionStore(path):
            np.testing.assert_allclose(prediction.scores, alone[prediction.index].scores,
                                       atol=1e-5)


def test_another_model_is_refused(call, candidates, tmp_path, tiny, capsys):
    call('--candidates', candidates, '--bootstrap', 0)
    with pytest.raises(SystemExit, match='2'):
        call('--candidates', candidates, '--cfg-options', 'model.test_cfg.score_thr=0.2')
    said = capsys.readouterr().err
    assert 'is of a run with other settings' in said and 'score_thr: was 0.0, now 0.2' in said


@pytest.mark.parametrize('options, message', [
    (('--checkpoint', 'none.pth'), "--checkpoint 'none.pth' is not a file"),
    (('--config', 'none.py'), "--config 'none.py' is not a file"),
    (('--data', 'nowhere'), "--data 'nowhere' is not a folder"),
    (('--data', 'odinw:Cars'), "--data 'odinw:Cars' is none of"),
    (('--candidates', 'none.yml'), "candidates 'none.yml' is missing"),
    (('--templates', 'thing'), "'thing' has no {}"),
    (('--rounds', 0), '--rounds 0 must be at least 1'),
    (('--bootstrap', 20), 'must be 0 or at least 100'),
    (('--certain', '--bootstrap', 0), '--certain needs intervals'),
    (('--max-images', 0), '--max-images 0 must be at least 1')])
def test_options_that_can_not_be(call, options, message, capsys):
    with pytest.raises(SystemExit, match='2'):
        call(*options)
    assert message in capsys.readouterr().err
