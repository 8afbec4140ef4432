"""``tools/train.py`` and ``tools/test.py`` with a model of one parameter."""

import argparse
import os
import pickle
import re
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from glip_mm.apis.launch import load_config
from glip_mm.file_lock import writing_into
from tests import forked

ROOT = Path(__file__).parents[2]
TOY = '''
import torch
from mmdet.structures import DetDataSample
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from glip_mm.registry import DATASETS, METRICS, MODELS


@DATASETS.register_module()
class ToyData(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(x=torch.ones(1), index=index)


@MODELS.register_module()
class ToyModel(BaseModel):

    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.ones(1))

    def forward(self, x, index, mode='tensor'):
        if mode == 'loss':
            return dict(loss=(self.slope * x - 2).square().mean())
        samples = []
        for i in index.tolist():
            sample = DetDataSample(metainfo=dict(img_id=i))
            sample.pred_instances = InstanceData(bboxes=torch.ones(1, 4), slope=self.slope.data)
            samples.append(sample)
        return samples


@METRICS.register_module()
class ToyMetric(BaseMetric):

    def process(self, data_batch, data_samples):
        self.results += [sample['pred_instances']['slope'].item() for sample in data_samples]

    def compute_metrics(self, results):
        return dict(slope=sum(results) / len(results))
'''
CONFIG = '''
default_scope = 'glip_mm'
custom_imports = dict(imports=['toy'])
model = dict(type='ToyModel')
train_dataloader = dict(batch_size=2, num_workers=0, collate_fn=dict(type='default_collate'),
                       dataset=dict(type='ToyData'),
                        sampler=dict(type='DefaultSampler', shuffle=True))
test_dataloader = dict(batch_size=2, num_workers=0, collate_fn=dict(type='default_collate'),
                        dataset=dict(type='ToyData'),
                       sampler=dict(type='DefaultSampler', shuffle=False))
train_cfg = dict(by_epoch=True, max_epochs=1)
test_cfg = dict()
test_evaluator = dict(type='ToyMetric')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
auto_scale_lr = dict(base_batch_size=1)
'''


@pytest.fixture
def toy(tmp_path):
    (tmp_path / 'toy.py').write_text(TOY)
    (tmp_path / 'toy_config.py').write_text(CONFIG)
    return tmp_path


def run(script, *arguments, cwd, status=0):
    path = os.pathsep.join([str(ROOT), str(cwd)])
    done = forked.run(ROOT / 'tools' / script, *arguments, cwd=cwd,
                      env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'})
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_train_resume_test(toy):
    run('train.py', 'toy_config.py', cwd=toy)
    work = toy / 'work_dirs' / 'toy_config'
    first = torch.load(work / 'epoch_1.pth')
    assert first['meta']['iter'] == 2
    log = run('train.py', 'toy_config.py', '--resume', '--cfg-options', 'train_cfg.max_epochs=2',
              cwd=toy)
    assert 'resumed epoch: 1' in log
    second = torch.load(work / 'epoch_2.pth')
    assert second['meta']['iter'] == 4
    slope = second['state_dict']['slope']
    assert slope > first['state_dict']['slope'] > 1
    log = run('test.py', 'toy_config.py', work / 'epoch_2.pth', '--out', 'found.pkl',
              '--work-dir', 'elsewhere', cwd=toy)
    assert f'metrics: slope {slope.item():.4g}' in log
    assert len(log.splitlines()) < 20
    predictions = pickle.loads((toy / 'found.pkl').read_bytes())
    assert [sample['img_id'] for sample in predictions] == [0, 1, 2, 3]
    assert list((toy / 'elsewhere').iterdir())


def options_of(script, toy, *arguments):
    module = runpy.run_path(str(ROOT / 'tools' / script), run_name='tool')
    parser = module['make_parser']()
    args = parser.parse_args([str(toy / 'toy_config.py'), *map(str, arguments)])
    config = Config.fromfile(args.config, import_custom_modules=False)
    config.work_dir = args.work_dir
    config.merge_from_dict(args.cfg_options or {})
    module['apply_options'](parser, args, config)
    return config


@pytest.mark.parametrize('arguments, resume', [
    ([], None), (['--resume'], True), (['--resume', 'auto'], True)])
def test_resume(toy, arguments, resume):
    (toy / 'run').mkdir()
    kept = toy / 'run' / 'epoch_1.pth'
    torch.save(dict(a=1), kept)
    (toy / 'run' / 'last_checkpoint').write_text('run/epoch_2.pth')  # MMEngine deleted it
    start = toy / 'base.pth'
    start.touch()
    arguments = [*arguments, '--work-dir', toy / 'run', '--cfg-options', f'load_from={start}']
    config = options_of('train.py', toy, *arguments)
    assert (config.get('resume'), config.load_from) == (resume, str(kept if resume else start))
    # a run without a checkpoint of its own starts as its config says
    kept.write_bytes(b'half')
    config = options_of('train.py', toy, *arguments)
    assert (bool(config.get('resume')), config.load_from) == (False, str(start))


def test_resume_from_a_file(toy):
    (toy / 'epoch_9.pth').touch()
    config = options_of('train.py', toy, '--resume', toy / 'epoch_9.pth')
    assert config.resume and config.load_from == str(toy / 'epoch_9.pth')


def test_options_reach_the_config(toy):
    config = options_of('train.py', toy, '--amp', '--auto-scale-lr')
    assert config.optim_wrapper.type == 'glip_mm.AutoAmpOptimWrapper'
    assert config.auto_scale_lr == dict(base_batch_size=1, enable=True)
    assert config.optim_wrapper.optimizer == dict(type='SGD', lr=0.1)


def test_drawing_switches_the_hook_on(toy):
    (toy / 'a.pth').touch()
    with open(toy / 'toy_config.py', 'a') as file:
        file.write("default_hooks = dict(visualization=dict(type='DetVisualizationHook'))\n")
    config = options_of('test.py', toy, toy / 'a.pth', '--show-dir', 'pictures')
    hook = config.default_hooks.visualization
    assert (hook.draw, hook.show, hook.test_out_dir) == (True, False, 'pictures')


def test_views_reach_model_and_pipelines(toy):
    (toy / 'a.pth').touch()
    with open(toy / 'toy_config.py', 'a') as file:
        file.write("""
tta_model = dict(type='GLIPTTAModel')
tta_pipeline = [dict(type='TestTimeAug')]
test_dataloader['dataset'] = dict(type='ConcatDataset', datasets=[
    dict(type='ToyData', pipeline=[]), dict(type='RepeatDataset', dataset=dict(type='ToyData'))])
""")
    config = options_of('test.py', toy, toy / 'a.pth', '--tta')
    assert config.model == dict(type='GLIPTTAModel', module=dict(type='ToyModel'))
    first, second = config.test_dataloader.dataset.datasets
    assert first.pipeline == second.dataset.pipeline == [dict(type='TestTimeAug')]
    assert 'pipeline' not in second


def loaded(*arguments):
    module = runpy.run_path(str(ROOT / 'tools' / 'test.py'), run_name='tool')
    parser = module['make_parser']()
    args = parser.parse_args([*map(str, arguments)])
    config = module['load_config'](parser, args)
    module['apply_options'](parser, args, config)
    return config


@pytest.mark.parametrize('name', ['configs/glip/glip_swin-t_o365-goldg.py',
                                  'glip_swin-t_o365-goldg'])
def test_a_benchmark_takes_the_place_of_the_data(toy, name):
    (toy / 'a.pth').touch()
    config = loaded(name, toy / 'a.pth', '--benchmark', 'lvis_minival', '--tta')
    assert config.test_dataloader.dataset.dataset_name == 'lvis_minival'
    assert config.model.module.test_cfg.chunked_size == 40
    assert config.model_name == 'glip_swin-t_o365-goldg' and config.benchmark == 'lvis_minival'
    assert config.work_dir == 'work_dirs/glip_swin-t_o365-goldg_lvis_minival'


def test_a_config_of_an_earlier_release_is_a_model_and_a_benchmark(toy):
    (toy / 'a.pth').touch()
    with pytest.warns(FutureWarning, match='glip_swin-l_mixed.py.* --benchmark odinw35'):
        config = loaded('configs/odinw/glip_swin-l_mixed_odinw35.py', toy / 'a.pth')
    assert config.benchmark == 'odinw35' and config.model_name == 'glip_swin-l_mixed'


@pytest.mark.parametrize('script, arguments, message', [
    ('test.py', ['--benchmark', 'lvis'], "--benchmark 'lvis': there is no such benchmark; there "
     "are coco, coco_testdev, d3, flickr30k_test"),
    ('train.py', ['--resume', 'gone.pth'], "--resume 'gone.pth' is not a file"),
    ('test.py', ['gone.pth'], "checkpoint 'gone.pth' is not a file"),
    ('test.py', ['toy.py', '--out', 'found.txt'], "--out 'found.txt' must end in .pkl"),
    ('test.py', ['toy.py', '--show'], 'drawing needs default_hooks.visualization'),
    ('test.py', ['toy.py', '--tta'], '--tta needs tta_model in the config'),
])
def test_wrong_options_end_with_one_sentence(toy, monkeypatch, capsys, script, arguments, message):
    monkeypatch.chdir(toy)
    with pytest.raises(SystemExit):
        options_of(script, toy, *arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('config, message', [
    ('toy_konfig.py', "config 'toy_konfig.py' is not a file; in '.' there are: toy.py, toy_config"),
    ('nowhere/x.py', "config 'nowhere/x.py' is not a file; there is no folder 'nowhere'")])
def test_wrong_config_is_named_beside_what_is_there(toy, monkeypatch, capsys, config, message):
    monkeypatch.chdir(toy)
    parser = argparse.ArgumentParser()
    with pytest.raises(SystemExit):
        load_config(parser, argparse.Namespace(config=config, local_rank=0))
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh',
                                    'slurm_test.sh'])
def test_launchers_say_how_they_are_used(script):
    done = subprocess.run(['bash', ROOT / 'tools' / script], capture_output=True, text=True)
    assert done.returncode == 2 and 'usage:' in done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def test_dist_train_runs_two_processes(toy):
    done = subprocess.run(
        ['bash', ROOT / 'tools/dist_train.sh', 'toy_config.py', '2'], cwd=toy,
        capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(toy), 'PYTHON': sys.executable,
             'PORT': str(free_port()), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''})
    assert done.returncode == 0, done.stdout + done.stderr
    saved = torch.load(toy / 'work_dirs/toy_config/epoch_1.pth')
    assert saved['meta']['iter'] == 1  # four samples, two at a time, on two processes
    assert list(saved['state_dict']) == ['slope']


def test_two_machines_train_one_model(toy):
    """One process on each of two machines, which here are the same one."""
    environment = {**os.environ, 'PYTHONPATH': str(toy), 'PYTHON': sys.executable, 'NNODES': '2',
                   'MASTER_ADDR': '127.0.0.1', 'PORT': str(free_port()), 'OMP_NUM_THREADS': '1',
                   'CUDA_VISIBLE_DEVICES': ''}
    machines = [subprocess.Popen(
        ['bash', ROOT / 'tools/dist_train.sh', 'toy_config.py', '1', '--work-dir', f'machine{i}'],
        cwd=toy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**environment, 'NODE_RANK': str(i)}) for i in range(2)]
    output = [machine.communicate(timeout=600)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], output
    saved = torch.load(toy / 'machine0/epoch_1.pth')
    assert saved['meta']['iter'] == 1  # half of the samples went to each
    assert not list((toy / 'machine1').glob('*.pth'))


def test_slurm_gets_all_tasks(toy):
    (toy / 'srun').write_text('#!/bin/sh\necho "$@"\n')
    (toy / 'srun').chmod(0o755)
    done = subprocess.run(
        ['bash', ROOT / 'tools/slurm_train.sh', 'gpus', 'glip', 'toy_config.py', 'out', '--amp'],
        cwd=toy, capture_output=True, text=True,
        env={**os.environ, 'PATH': f'{toy}:{os.environ["PATH"]}', 'GPUS': '32',
             'GPUS_PER_NODE': '8', 'SRUN_ARGS': '--qos high'})
    assert done.returncode == 0, done.stderr
    for part in ('--partition=gpus', '--ntasks=32', '--ntasks-per-node=8', '--gres=gpu:8',
                 '--qos high', 'toy_config.py --work-dir out --launcher slurm --amp'):
        assert part in done.stdout


@pytest.mark.parametrize('content, message', [
    (b'PK', 'a.pth.* cannot be read safely'), (b'', 'a.pth.* cannot be read safely'),
    (pickle.dumps(print), 'a.pth.* cannot be read safely')])
@pytest.mark.parametrize('script', ['test.py', 'train.py'])
def test_a_bad_checkpoint_is_one_line(toy, script, content, message):
    (toy / 'a.pth').write_bytes(content)
    options = ['--resume'] if script == 'train.py' else []
    said = run(script, 'toy_config.py', *options, 'a.pth', cwd=toy, status=1)
    line, = [line for line in said.splitlines() if 'a.pth' in line]
    assert re.search(message, line) and line.startswith(f'{script}: ')
    assert 'Traceback' not in said and 'weights_only' not in said
    assert not list(toy.rglob('*.log'))  # before anything is built


@pytest.mark.parametrize('text, message', [
    ('model = dict(', "error: config 'toy_config.py' cannot be read: SyntaxError"),
    ('1 / 0', 'cannot be read: ZeroDivisionError: division by zero'),
    ('modle = dict()', r"config 'toy_config.py' has no model=dict\(type=...\)"),
    (CONFIG + "model = dict(type='Nothing')", "cannot be built: KeyError: Nothing is not"),
    (CONFIG + "model['depth'] = 3", r"cannot be built: .* unexpected keyword argument 'depth'"),
    ("model = dict(type='GLIP', nobody=1)", "unexpected keyword argument 'nobody'"),
    (CONFIG + "optim_wrapper['optimizer']['type'] = 'Nobody'", 'cannot be built: .*Nobody'),
    (CONFIG + "train_dataloader['batch_size'] = 'x'", "cannot be built: .* got batch_size=x"),
    (CONFIG + "train_dataloader['num_workers'] = -1", 'cannot be built: .*non-negative'),
    (CONFIG + "train_cfg['type'] = 'Nobody'", 'cannot be built: .*Only one of `type`'),
    (CONFIG + "train_cfg = dict(type='Nobody', max_epochs=1)", 'cannot be built: .*Nobody')])
def test_a_bad_config_is_one_line(toy, text, message):
    (toy / 'toy_config.py').write_text(text)
    (toy / 'a.pth').write_bytes(b'')
    said = forked.run(ROOT / 'tools' / 'train.py', 'toy_config.py', cwd=toy, env={
        **os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), str(toy)])})
    assert said.returncode in (1, 2) and 'Traceback' not in said.stderr
    assert re.search(message, said.stderr.splitlines()[-1]), said.stderr


@pytest.mark.parametrize('script', ['train.py', 'test.py'])
def test_a_work_directory_has_one_writer(toy, script):
    torch.save(dict(state_dict=dict(slope=torch.ones(1))), toy / 'a.pth')
    with writing_into(toy / 'work_dirs' / 'toy_config'):
        said = run(script, 'toy_config.py', *['a.pth'][:script == 'test.py'], cwd=toy, status=1)
    line, = said.splitlines()
    assert line.startswith(f"{script}: 'work_dirs/toy_config' is in use by process {os.getpid()} ")
    assert os.listdir(toy / 'work_dirs' / 'toy_config') == ['.lock']
