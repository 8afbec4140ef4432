"""Config of a fine-tuning run, short enough to be read and changed by hand."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from mmengine.config import Config

from glip_mm.apis.suite import test_pipeline_of
from glip_mm.atomic_files import write_atomically
from glip_mm.config_text import comment, config_text, text_literal
from glip_mm.datasets.coco_file import read_coco
from glip_mm.datasets.formats.opening import digest_of
from glip_mm.datasets.transforms.build_prompt import BuildPrompt
from glip_mm.models.tuning.modes import MODES
from glip_mm.registry import SCOPE, type_name
from glip_mm_cli.options import merge_cfg_options

from .class_prompts import ClassPrompts
from .few_shot import images_with_boxes
from .replay import Replay
from .splits import Split, Splits
from .train_pipeline import scaling_loader, train_pipeline

#: Tuning modes, see docs/tuning_modes.md.
TUNING = tuple(MODES)
#: Metric that decides on learning rate steps, early stopping and the best checkpoint.
MONITOR = 'finetune/mean'
#: Published number of copies of a training image per epoch, by shots.
COPIES = {1: 8, 3: 4, 5: 2, 10: 1}
#: Number of negative classes in a training prompt that cannot hold all; published for Objects365.
MANY = 85


@dataclass(frozen=True)
class RunSettings:
    """Settings of a fine-tuning run. The defaults are the published few-shot recipe.

    Attributes:
        tuning: Tuning mode, one of :data:`TUNING`.
        shots: Number of training images per class; None for all.
        epochs: Maximum number of epochs.
        batch_size: Number of images per training step.
        workers: Number of data loader workers.
        seed: Random seed of the run.
        lr: Learning rate; None for that of the mode (:class:`Mode`).
        copies: Number of copies of an image per epoch; None for :data:`COPIES`.
        step_patience: Evaluations without improvement before the learning rate is divided by ten;
            None for the published 3, or 2 with all images.
        stop_patience: Evaluations without improvement before the training stops; None for the
            published 8, or 4 with all images.
        keep_empty: Whether training images without boxes are kept; published: left out.
    """

    tuning: str = 'full'
    shots: int | None = None
    epochs: int = 200
    batch_size: int = 4
    workers: int = 2
    seed: int = 0
    lr: float | None = None
    copies: int | None = None
    step_patience: int | None = None
    stop_patience: int | None = None
    keep_empty: bool = False

    def __post_init__(self) -> None:
        if self.tuning not in TUNING:
            raise ValueError(f'tuning must be one of {TUNING}, got {self.tuning!r}')


def finetune_config(base: Config, splits: Splits, settings: RunSettings, checkpoint: str,
                    prompts: ClassPrompts | None = None,
                    replay: Replay | None = None) -> dict[str, Any]:
    """Build the settings of a run that its base config does not have.

    Args:
        base: Config of the model; its training pipeline (see :func:`.train_pipeline`) and
            optimizer are kept if it has them, otherwise published ones are used.
        splits: Splits of the data set.
        settings: Settings of the training.
        checkpoint: Checkpoint that the training starts from.
        prompts: Overrides of class names.
        replay: Training sets to mix in.

    Returns:
        Keys of the new config.

    Raises:
        KeyError: If the base config has no pipeline.
        ValueError: If prompts vary although an offset to one prompt is learned.
    """
    prompts = prompts or ClassPrompts({}, {})
    if MODES[settings.tuning].prompt_table and replay:
        raise ValueError(f'--tuning {settings.tuning} learns one prompt, but --replay brings '
                         'others: leave it out; without that prompt the model is as it was')
    if MODES[settings.tuning].prompt_table and prompts.name_variants:
        raise ValueError(f'--tuning {settings.tuning} learns one prompt, but the prompts have '
                         f'synonyms for {sorted(prompts.name_variants)}: leave them out')
    caption_prompt = {**splits.caption_prompt, **prompts.caption_prompt} or None
    test_pipeline = [scaling_loader(dict(step)) for step in test_pipeline_of(base)]
    build = _build_prompt(base, splits, settings.tuning, caption_prompt, prompts.name_variants)
    train = split_dataset(splits, splits.train, train_pipeline(base, build), test_mode=False)
    # what breaks after the first look is counted, and does not end the run
    train['on_bad'] = 'replace'
    if not settings.keep_empty:
        train['filter_cfg'] = dict(filter_empty_gt=True)
    copies = settings.copies or COPIES.get(settings.shots or 0, 1)
    loop = 'EpochBasedTrainLoop'
    if replay:
        content = read_coco(str(splits.train.ann_file))
        images = len(content['images'] if settings.keep_empty else images_with_boxes(content))
        train, loop = replay.mix(train, copies * images), 'glip_mm.ResumableEpochLoop'
    elif copies > 1:
        train = dict(type='RepeatDataset', times=copies, dataset=train)
    settings_of: dict[str, Any] = dict(
        model=_model(base, settings),
        train_dataloader=_loader(train, settings.batch_size, settings.workers, shuffle=True),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=10),
            checkpoint=dict(type='glip_mm.CheckpointHook', interval=1, max_keep_ckpts=1,
                            save_best=MONITOR, rule='greater',
                            backend_args=dict(backend='atomic'))),
        custom_hooks=[
            # tests=True: a broken test split must fail before hours of training
            dict(type='glip_mm.PreflightHook', tests=True),
            dict(type='glip_mm.FirstEvaluationHook'),
            dict(type='glip_mm.ReplacedSamplesHook'), dict(type='glip_mm.StepSeedHook'),
            dict(type='glip_mm.NonFiniteHook', policy='skip'),
            dict(type='glip_mm.EarlyStoppingHook', monitor=MONITOR, rule='greater', min_delta=0,
                 check_finite=False, patience=_or(settings.stop_patience, settings.shots, 8, 4))],
        param_scheduler=[
            dict(type='ReduceOnPlateauLR', monitor=MONITOR, rule='greater', factor=0.1,
                 patience=_or(settings.step_patience, settings.shots, 3, 2), min_value=1e-6)],
        optim_wrapper=_optimizer(base, settings),
        train_cfg=dict(type=loop, max_epochs=settings.epochs, val_interval=1),
        val_cfg=dict(type='ValLoop'), test_cfg=dict(type='glip_mm.ResumableTestLoop'),
        log_processor=dict(type='LogProcessor', window_size=10, by_epoch=True),
        randomness=dict(seed=settings.seed), load_from=str(checkpoint), resume=False,
        benchmark=None, inputs=_inputs(splits, checkpoint))
    if base.get('default_scope') in (None, 'mmdet'):
        settings_of['default_scope'] = SCOPE  # finds MMDetection's types, too
    if not settings_of['optim_wrapper']['paramwise_cfg']:
        del settings_of['optim_wrapper']['paramwise_cfg']
    if not settings_of['model']:
        del settings_of['model']
    for part, split in (('val', splits.val), ('test', splits.test)):
        data = split_dataset(splits, split, test_pipeline, test_mode=True,
                             caption_prompt=caption_prompt)
        settings_of[f'{part}_dataloader'] = _loader(data, 1, settings.workers, shuffle=False)
        settings_of[f'{part}_evaluator'] = dict(
            type='glip_mm.ODinWMetric', prefix='finetune', renumber=True,
            datasets={splits.name: str(split.ann_file)},
            num_classes={splits.name: len(splits.classes)})
    _replace_those_of(base, settings_of)
    return settings_of


def _inputs(splits: Splits, checkpoint: str) -> dict[str, str]:
    """Describe the content of a run's input files, to detect changes."""
    found = {part: digest_of(getattr(splits, part).ann_file.read_bytes())
             for part in ('train', 'val', 'test')}
    if Path(checkpoint).is_file():
        stat = Path(checkpoint).stat()
        found['checkpoint'] = f'{stat.st_size} bytes of {int(stat.st_mtime)}'
    return found


def _or(value: int | None, shots: int | None, few: int, full: int) -> int:
    return value if value is not None else (few if shots else full)


def _model(base: Config, settings: RunSettings) -> dict[str, Any]:
    model: dict[str, Any] = {}
    backbone = base.model.get('backbone', {})
    if backbone.get('init_cfg'):
        model['backbone'] = dict(init_cfg=None)  # the checkpoint has the weights
    if settings.tuning != 'full':
        model['tuning'] = settings.tuning
    elif base.model.get('tuning'):
        model['tuning'] = None  # the base itself is a tuned model
    if settings.tuning == 'full' and backbone.get('type', '').endswith(
            'SwinTransformer'):
        # published: patch embedding and first stage stay frozen
        model.setdefault('backbone', {})['frozen_stages'] = 1
    return model


def _build_prompt(base: Config, splits: Splits, tuning: str, caption_prompt: Mapping | None,
                  variants: Mapping) -> dict[str, Any]:
    language = base.model.language_model
    own: dict[str, Any] = dict(tokenizer=language.name)
    if 'max_tokens' in language:
        own['max_tokens'] = language.max_tokens
    if caption_prompt:
        own['caption_prompt'] = dict(caption_prompt)
    builder = BuildPrompt(**own)
    try:
        fits = builder.vocabulary(splits.classes).costs.sum() <= builder.max_tokens - 2
    except (OSError, ValueError) as error:  # of the library that loads it
        raise ValueError(f"the tokenizer of model.language_model.name='{language.name}' cannot be "
                         f"loaded, from --config '{base.filename}': {error}") from error
    if not fits and MODES[tuning].prompt_table:
        raise ValueError(f'--tuning {tuning} learns one prompt, but the {len(splits.classes)} '
                         'classes need several: choose another --tuning')
    # all classes in the order of tests, or those of the image and as many negatives as fit
    kind = dict(method='simple', shuffle=False) if fits else dict(num_negatives=MANY, full_prob=1.)
    if variants:
        own['name_variants'] = dict(variants)
    return dict(type='glip_mm.BuildPrompt', **kind, **own)


def split_dataset(splits: Splits, split: Split, pipeline: list[dict], test_mode: bool = True,
                  caption_prompt: Mapping | None = None) -> dict[str, Any]:
    """Build the config of a split's data set.

    Args:
        splits: Data set with name and classes.
        split: Annotations and images of the split.
        pipeline: Transforms of the data set.
        test_mode: Whether the data set is used for a test.
        caption_prompt: Overrides of class names in the prompt, see
            :meth:`glip_mm.text.Prompt.from_names`.
    """
    data = dict(type='glip_mm.ZeroShotDataset', dataset_name=splits.name,
                ann_file=str(split.ann_file), data_prefix=dict(img=str(split.images)),
                metainfo=dict(classes=list(splits.classes)), test_mode=test_mode,
                pipeline=pipeline)
    if caption_prompt:
        data['caption_prompt'] = dict(caption_prompt)
    return data


def _loader(dataset: dict, batch_size: int, workers: int, shuffle: bool) -> dict[str, Any]:
    if type_name(dataset) == 'GroundingStream':
        sampling: dict[str, Any] = dict(sampler=dict(type='glip_mm.StreamSampler'),
                                        batch_sampler=dict(type='glip_mm.StreamBatchSampler'))
    else:
        sampling = dict(drop_last=False, sampler=dict(type='DefaultSampler', shuffle=shuffle))
    # a resumed training augments an epoch like another only if its workers begin anew
    lasting = workers > 0 and (not shuffle or 'batch_sampler' in sampling)
    if workers and not lasting:
        sampling['worker_init_fn'] = dict(type='glip_mm.seed_worker')
    return dict(batch_size=batch_size, num_workers=workers, persistent_workers=lasting,
                dataset=dataset, **sampling)


def _optimizer(base: Config, settings: RunSettings) -> dict[str, Any]:
    mode = MODES[settings.tuning]
    lr, decay = mode.rates or (None, 0.05)
    own = base.get('optim_wrapper', {}).get('optimizer', {}).get('lr', 1e-4)
    lr = settings.lr or lr or own
    wrapper: dict[str, Any] = dict(optimizer=dict(lr=lr, weight_decay=decay), paramwise_cfg={})
    if 'optim_wrapper' not in base:
        wrapper = dict(
            type='glip_mm.AutoAmpOptimWrapper',
            constructor='glip_mm.GLIPOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=lr, weight_decay=decay),
            paramwise_cfg=dict(language_lr_mult=0.1, bias_lr_mult=2.0, bias_decay_mult=0.0),
            clip_grad=dict(max_norm=1.0, norm_type=2))
    if mode.prompt_table and not mode.rates:
        # the prompt offset keeps the rates that it has alone
        own_lr, own_decay = MODES['prompt'].rates or (lr, decay)
        wrapper['paramwise_cfg']['custom_keys'] = dict(prompt_table=dict(
            lr_mult=own_lr / lr, decay_mult=own_decay / decay))
    return wrapper


def _replace_those_of(base: Config, own: dict[str, Any]) -> None:
    """Mark settings that replace the base config's; marking others would be an error."""
    for key, value in own.items():
        if key in ('model', 'optim_wrapper', 'randomness'):
            continue
        if key == 'default_hooks':
            for hook in value:
                if hook in base.get(key, {}):
                    value[hook] = dict(_delete_=True, **value[hook])
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            own[key] = dict(_delete_=True, **value)


def write_config(path: str | Path, base: str | Path, settings: dict[str, Any], command: str,
                 options: Mapping[str, Any] | None = None) -> Path:
    """Write a config that ``tools/train.py`` and ``tools/test.py`` run.

    Args:
        path: Path of the file.
        base: Config that it inherits from.
        settings: Settings from :func:`finetune_config`.
        command: Command that wrote it, for the first line.
        options: Settings that override those, as in ``--cfg-options``.

    Raises:
        ValueError: If the file exists with other settings: results of two runs would be mixed; or
            a setting is no plain value.
    """
    path = Path(path)
    config = Config(deepcopy(settings))
    merge_cfg_options(config, options)
    start = str(Path(base).resolve())
    if '::' in start:  # MMEngine takes what is before it for a package
        raise ValueError(f"--config '{start}' has '::' in its path: rename the folder")
    body = f'_base_ = {text_literal(start)}\n\n{config_text(config.to_dict())}'
    before = path.read_text(encoding='utf-8').partition('\n')[2] if path.is_file() else body
    if before != body:
        lines = [line for line in unified_diff(before.split('\n'), body.split('\n'), n=0,
                                               lineterm='') if line[0] in '+-'][2:]
        raise ValueError(
            f"'{path}' is of a run with other settings or data (- then, + now):\n"
            + '\n'.join(f'  {line}' for line in lines[:10]) + '\n  ...' * (len(lines) > 10)
            + f"\ngive another --work-dir, or remove the folder '{path.parent}'")
    return write_atomically(path, (comment(command) + body).encode())
