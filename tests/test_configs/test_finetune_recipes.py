"""The published recipes of fine-tuning."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import load

ROOT = Path(__file__).parents[2] / 'configs'


def test_every_released_model_has_both():
    released = {row['Name'] for row in load(ROOT / 'glip/metafile.yml')['Models']
                if not row['Name'].endswith('_lvisbest')}
    found = {p.stem for p in ROOT.glob('finetune/*.py')}
    assert len(released) == 5
    kept = {f'glip_swin-t_o365-goldg_odinw-{way}' for way in ('interpolate', 'prompt', 'replay')}
    assert found == kept | {f'{m}_{kind}' for m in released for kind in ('coco', 'odinw')}


def test_ways_to_keep_what_it_knew():
    config = Config.fromfile(ROOT / 'finetune/glip_swin-t_o365-goldg_odinw-prompt.py')
    assert config.model.tuning == 'prompt' and config.optim_wrapper.optimizer.lr == 0.05
    config = Config.fromfile(ROOT / 'finetune/glip_swin-t_o365-goldg_odinw-interpolate.py')
    hook, = [h for h in config.custom_hooks if h.type == 'glip_mm.InterpolatedWeightsHook']
    assert hook.base == config.load_from and hook.alphas == (0.5, )
    plain = Config.fromfile(ROOT / 'finetune/glip_swin-t_o365-goldg_odinw.py')
    assert config.custom_hooks[:-1] == plain.custom_hooks
    config = Config.fromfile(ROOT / 'finetune/glip_swin-t_o365-goldg_odinw-replay.py')
    stream, gold = config.train_dataloader.dataset, Config.fromfile(
        ROOT / 'glip/glip_swin-t_o365-goldg.py').train_dataloader.dataset
    # the whole stream of the pre-training: its sets keep their shares
    assert stream.datasets[0].dataset_name == 'Aquarium' and stream.datasets[1:] == [gold]
    assert stream.ratios == [0.5, 0.5] and stream.samples_per_epoch == 1000


@pytest.mark.parametrize('model', ['glip_swin-t-a_o365', 'glip_swin-t_o365-goldg',
                                   'glip_swin-l_mixed'])
def test_coco(model):
    config = Config.fromfile(ROOT / f'finetune/{model}_coco.py')
    wanted = Config.fromfile(ROOT / f'glip/{model}.py')
    assert config.model == wanted.model
    assert config.train_cfg.max_epochs == 24
    wrapper = config.optim_wrapper
    assert wrapper.optimizer.lr == 1e-5 and wrapper.optimizer.weight_decay == 1e-4
    assert wrapper.paramwise_cfg.language_lr_mult == 1
    assert [s.get('fractions') for s in config.param_scheduler] == [None, [0.67, 0.89]] or [
        tuple(s.get('fractions', ())) for s in config.param_scheduler] == [(), (0.67, 0.89)]
    prompt = next(t for t in config.train_pipeline if t.type == 'glip_mm.BuildPrompt')
    assert prompt.method == 'simple' and not prompt.shuffle
    averaged = any(h.type == 'glip_mm.AveragedWeightsHook' for h in config.custom_hooks)
    assert averaged == ('-l_' not in model)
    assert config.load_from.endswith('.pth')


@pytest.mark.parametrize('name', ['Aquarium', 'boggleBoards', 'PascalVOC'])
def test_odinw(name, monkeypatch):
    monkeypatch.setenv('ODINW_SET', name)
    config = Config.fromfile(ROOT / 'finetune/glip_swin-t_o365-goldg_odinw.py')
    assert config.train_dataloader.dataset.dataset_name == name
    assert list(config.val_evaluator.datasets) == [name]
    assert config.train_cfg.max_epochs == 200 and config.model.backbone.frozen_stages == 1
    assert config.optim_wrapper.optimizer.weight_decay == 0.05
    schedule, = config.param_scheduler
    stop = next(h for h in config.custom_hooks if h.type == 'glip_mm.EarlyStoppingHook')
    monitored = {schedule.monitor, stop.monitor, config.default_hooks.checkpoint.save_best}
    assert monitored == {'odinw/mean'} and (schedule.patience, stop.patience) == (2, 4)
    said = [t.get('caption_prompt') for t in config.train_pipeline
            if t.type == 'glip_mm.BuildPrompt']
    assert said == [config.val_dataloader.dataset.caption_prompt]
    assert (said != [None]) == (name == 'Aquarium')
