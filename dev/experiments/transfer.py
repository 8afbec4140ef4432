"""Small-scale transfer: two pre-trained models, two data sets, few or all images, three modes.

Every run is tools/finetune.py with one seed in WORK_DIR/START/DATA/TUNING_SHOTS/seedN: a model is
tuned, chosen on val and tested once. Seeds are run one after the other, so that the table is
complete after the first seed. Started again, the tool resumes where it stopped.

Example:
    python tools/train.py configs/backbones/glip_efficientnet-lite0_grounding-world.py \
        --work-dir work_dirs/efficientnet-lite0_world
    python -m dev.experiments.transfer --jobs 2
    python -m dev.experiments.transfer --starts nano --data raccoon --shots 0 5 --seeds 3
"""

import argparse
import hashlib
import json
import time
from functools import partial
from pathlib import Path

from .options import ROOT, add_experiment_options

# model -> (checkpoint, data -> config)
STARTS = {
    'nano': ('work_dirs/quickstart/epoch_4.pth',
             dict(raccoon='real/glip_nano_raccoon.py', bccd='real/glip_nano_bccd.py')),
    'efficientnet-lite0': ('work_dirs/efficientnet-lite0_world/epoch_1.pth',
                           dict(raccoon='backbones/glip_efficientnet-lite0_raccoon.py',
                                bccd='backbones/glip_efficientnet-lite0_raccoon.py')),
    'pictograms': ('work_dirs/pictograms/captions_30x/seed0/epoch_1.pth',
                   dict(raccoon='experiments/glip_nano_pictograms-raccoon.py',
                        bccd='experiments/glip_nano_pictograms-bccd.py')),
}
# the same model of which nothing but the backbone and the language model has been trained before
STARTS['imagenet'] = ('', STARTS['pictograms'][1])
# fully supervised: trained by tools/train.py on all images
SUPERVISED = dict(dyhead=dict(raccoon='experiments/atss_dyhead_raccoon.py',
                              bccd='experiments/atss_dyhead_bccd.py'))
DATA = ('raccoon', 'bccd')
TUNINGS = ('full', 'linear', 'prompt', 'lora')
# shots -> (copies of an image per epoch, epochs): few shots get some 60 steps of 4 images
SCHEDULE = {'1': (80, 3), '3': (27, 3), '5': (16, 3), '10': (8, 3), 'all': (1, 4)}


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.experiments.transfer', description=__doc__.splitlines()[0])
    parser.add_argument('--starts', nargs='+', choices=[*STARTS, *SUPERVISED],
                        default=[*STARTS, *SUPERVISED], metavar='NAME',
                        help=f"of {', '.join(STARTS)}, where tuning starts; "
                        f"{', '.join(SUPERVISED)}, trained on all images (default: all)")
    parser.add_argument('--data', nargs='+', choices=DATA, default=list(DATA),
                        help='data sets (default: both)')
    parser.add_argument('--shots', nargs='+', choices=['0', *SCHEDULE], metavar='N',
                        default=['0', *SCHEDULE],
                        help=f"images of each class: 0, {', '.join(SCHEDULE)} (default: these)")
    parser.add_argument('--tunings', nargs='+', choices=TUNINGS, default=list(TUNINGS),
                        help=f"default: {' '.join(TUNINGS)}")
    parser.add_argument('--data-root', default='data', metavar='FOLDER',
                        help='holds raccoon/ and bccd/ (default: data)')
    for start, (checkpoint, _) in STARTS.items():
        if checkpoint:
            parser.add_argument(f'--{start}-checkpoint', default=checkpoint, metavar='FILE',
                                help=f'default: {checkpoint}')
    add_experiment_options(parser, 'work_dirs/transfer', seeds=(3, 30, 300))
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from tqdm import tqdm

from .experiment import run_experiment
from .runs import Run
from .transfer_report import ALL, transfer_report

CONFIGS = ROOT / 'configs'


class Transfer(Run):
    """A call of ``tools/finetune.py``.

    Args:
        folder: Folder of the run.
        facts: ``start``, ``data``, ``tuning`` and ``shots``, as in the report.
        seed: Random seed of the subset and the training.
        config: Config of the model.
        checkpoint: Weights to start from; empty: the model as its config initialises it.
        arguments: Further arguments of ``tools/finetune.py``.
        jobs: Number of runs that share the cores.
    """

    def __init__(self, folder: Path, facts: dict[str, str], seed: int, config: str,
                 checkpoint: str, arguments: list[str], jobs: int) -> None:
        super().__init__(folder, '{start}, {data}, {tuning}, {shots} shots'.format(**facts),
                         config, seed, [], jobs, {})
        self.facts, self.fresh = facts, not checkpoint
        self.checkpoint = checkpoint or str(folder / 'start.pth')
        self.arguments = ['--config', config, '--tuning', facts['tuning'], '--shots',
                          facts['shots'], '--seeds', str(seed), '--no-report',
                          '--checkpoint', self.checkpoint, *arguments]

    @property
    def mark(self) -> str:
        """Return a hash of all settings."""
        return hashlib.sha256(f'{super().mark} {self.arguments}'.encode()).hexdigest()[:16]

    @property
    def steps_left(self) -> int:
        """Return the number of tools that are still to be run."""
        return int('metrics' not in self.state)

    def train(self, bar: tqdm) -> None:
        """Tune and test, or resume."""
        if 'metrics' in self.state:
            return
        if self.fresh and not Path(self.checkpoint).is_file():
            save_untrained(self.config, self.checkpoint, self.seed)
        work_dir = self.folder / 'run'
        start = time.perf_counter()
        self.call('finetune', [*self.arguments, '--work-dir', str(work_dir)], bar, options=False)
        runs = json.loads((work_dir / 'results.json').read_text(encoding='utf-8'))['runs']
        self.note(**self.facts, metrics=next(iter(runs.values())),
                  seconds=round(time.perf_counter() - start, 1))

    def test(self, bar: tqdm) -> None:
        """Do nothing: ``tools/finetune.py`` has tested the model."""


def save_untrained(config: str, path: str, seed: int) -> None:
    """Write the weights that a model begins with: of published parts theirs, else drawn ones."""
    from mmengine.config import Config
    from mmengine.runner import save_checkpoint, set_random_seed

    from glip_mm.apis.building import build_model
    set_random_seed(seed)
    settings = Config.fromfile(config)
    model = build_model(settings)
    model.init_weights()
    save_checkpoint(dict(state_dict=model.state_dict(), meta=dict(cfg=settings.pretty_text)),
                    path)


class Supervised(Run):
    """A training on all images with ``tools/train.py``.

    Args:
        folder: Folder of the run.
        facts: ``start``, ``data``, ``tuning`` and ``shots``, as in the report.
        seed: Random seed.
        config: Config of the model.
        root: Folder of the data set.
        jobs: Number of runs that share the cores.
    """

    def __init__(self, folder: Path, facts: dict[str, str], seed: int, config: str, root: Path,
                 jobs: int) -> None:
        super().__init__(folder, '{start}, {data}'.format(**facts), config, seed, [], jobs,
                         dict(AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75',
                              AP='coco/bbox_mAP'))
        self.facts = facts
        self.environment = {f"{facts['data'].upper()}_ROOT": str(root)}

    def test(self, bar: tqdm) -> None:
        """Test the last checkpoint and record the metrics."""
        super().test(bar)
        self.note(**self.facts, seconds=self.state['cost'].get('train_seconds', 0.) +
                  self.state['test_seconds'])


def make_runs(args: argparse.Namespace, work_dir: Path) -> list[Run]:
    """Make all runs, seed by seed; with zero shots no seed matters.

    Raises:
        FileNotFoundError: If a checkpoint is missing.
    """
    runs: list[Run] = []
    for seed in args.seeds:
        for data in args.data:
            root = Path(args.data_root) / data
            for start in args.starts:
                if start in SUPERVISED:
                    runs.append(Supervised(
                        work_dir / start / data / f'full_{ALL}' / f'seed{seed}',
                        dict(start=start, data=data, tuning='full', shots=ALL), seed,
                        str(CONFIGS / SUPERVISED[start][data]), root, args.jobs))
                    continue
                checkpoint = getattr(args, f'{start}_checkpoint'.replace('-', '_'), '')
                if checkpoint and not Path(checkpoint).is_file():
                    raise FileNotFoundError(f"'{checkpoint}', the weights of '{start}', is not "
                                            f'there: train it, or say --{start}-checkpoint FILE')
                for shots in args.shots:
                    # with zero shots the tuning mode does not matter
                    for tuning in args.tunings if shots != '0' else ['full']:
                        if shots == '0' and seed != args.seeds[0]:
                            continue
                        copies, epochs = SCHEDULE.get(shots, (1, 1))
                        extra = ['--copies', str(copies), '--epochs', str(epochs)]
                        runs.append(Transfer(
                            work_dir / start / data / f'{tuning}_{shots}' / f'seed{seed}',
                            dict(start=start, data=data, tuning=tuning, shots=shots), seed,
                            str(CONFIGS / STARTS[start][1][data]), checkpoint,
                            ['--data', str(root), '--workers', '1'] + extra * (shots != '0'),
                            args.jobs))
    return runs


def main() -> None:
    """Run the missing runs and report."""
    args = make_parser().parse_args()
    work_dir = Path(args.work_dir)
    run_experiment(args, partial(make_runs, args, work_dir), partial(transfer_report, work_dir))


if __name__ == '__main__':
    main()
