"""The ablation of GLIP in small: train and test variants with several seeds, compare them.

Every run goes through tools/train.py and tools/test.py in a folder of its own,
WORK_DIR/VARIANT/seedN. Started again, the tool continues where it stopped.

Example:
    python tools/misc/make_grounding_world.py --out data/grounding_world
    python tools/analysis_tools/run_ablation.py
    python tools/analysis_tools/run_ablation.py --variants B C --seeds 0 1 2 3 4
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

from mmengine.config import Config, DictAction
from tqdm import tqdm

from glip_mm.visualization import write_atomically
from glip_mm.visualization.curves import mean_and_deviation, plot_bars, plus_minus, save_figure

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs' / 'experiments'
VARIANTS = dict(
    A=str(CONFIGS / 'glip_nano-a_detection.py'), B=str(CONFIGS / 'glip_nano-b_detection.py'),
    C=str(CONFIGS / 'glip_nano-c_detection-grounding.py'))
# name in the results -> key of tools/test.py's metrics, as a share of 1
METRICS = dict(
    ap_seen='seen/coco/bbox_mAP', ap_unseen_pairs='unseen/coco/bbox_mAP',
    phrase_recall_at_1='grounding/phrases/Recall@1', ap50_seen='seen/coco/bbox_mAP_50',
    ap50_unseen_pairs='unseen/coco/bbox_mAP_50', ap50_synonyms='synonyms/coco/bbox_mAP_50')
# the columns of the table, in words
COLUMNS = dict(ap_seen='AP seen', ap_unseen_pairs='AP unseen pairs',
               phrase_recall_at_1='phrase recall @ 1')


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--variants', nargs='+', default=list(VARIANTS), metavar='NAME[=CONFIG]',
                        help='A: detection without fusion; B: detection with fusion; C: detection '
                        'and grounding; or configs of your own (default: A B C)')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='N')
    parser.add_argument('--work-dir', default='work_dirs/ablation', metavar='FOLDER')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='runs at the same time, which share the cores (default: 1)')
    parser.add_argument('--report-only', action='store_true',
                        help='run nothing, report the runs that are finished')
    parser.add_argument('--restart', action='store_true',
                        help='throw away runs that were made with other settings')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='settings for every run, as for tools/train.py')
    return parser


def parse_variants(texts: Sequence[str]) -> dict[str, str]:
    """Configs by name.

    Raises:
        ValueError: If a name is unknown, or a config is no file.
    """
    result = {}
    for text in texts:
        name, _, config = text.partition('=')
        config = config or VARIANTS.get(name, '')
        if not config:
            raise ValueError(f"--variants '{name}' is unknown; use {', '.join(VARIANTS)} or "
                             'NAME=CONFIG')
        if not Path(config).is_file():
            raise ValueError(f"--variants {text}: config '{config}' is not a file")
        result[name] = config
    return result


def fingerprint(config: str, options: Sequence[str], seed: int) -> str:
    """A hash of all settings of a run."""
    settings = Config.fromfile(config)
    parser = argparse.ArgumentParser()
    parser.add_argument('--o', nargs='*', action=DictAction, default={})
    settings.merge_from_dict(parser.parse_args(['--o', *options]).o)
    text = json.dumps(settings.to_dict(), sort_keys=True, default=repr)
    return hashlib.sha256(f'{seed} {text}'.encode()).hexdigest()[:16]


class Run:
    """One variant with one seed, and what of it is done already.

    Args:
        folder: Its folder.
        variant: Name of the variant.
        config: Its config.
        seed: Its seed.
        options: ``KEY=VALUE`` settings.
        jobs: How many runs share the cores.
    """

    #: Set to end what runs.
    stop = threading.Event()

    def __init__(self, folder: Path, variant: str, config: str, seed: int,
                 options: Sequence[str], jobs: int = 1) -> None:
        self.jobs = jobs
        self.folder, self.variant, self.config, self.seed = folder, variant, config, seed
        self.options = [*options, f'randomness.seed={seed}']
        self.file = folder / 'run.json'
        self.state = self._read()

    def _read(self) -> dict:
        return json.loads(self.file.read_text()) if self.file.is_file() else {}

    def _write(self, **news: object) -> None:
        self.state.update(news)
        write_atomically(self.file, (json.dumps(self.state, indent=2) + '\n').encode())

    @property
    def name(self) -> str:
        """For people."""
        return f'{self.variant}, seed {self.seed}'

    def prepare(self, restart: bool) -> None:
        """Check that what is in the folder was made with the same settings.

        Raises:
            ValueError: If it was not.
        """
        mark = fingerprint(self.config, self.options, self.seed)
        if self.state and self.state.get('settings') != mark:
            if not restart:
                raise ValueError(f"'{self.folder}' was made with other settings of "
                                 f'{self.config}; give another --work-dir, or --restart to throw '
                                 'it away')
            shutil.rmtree(self.folder)
            self.state = {}
        if not self.state:
            self._write(variant=self.variant, seed=self.seed, config=_short(self.config),
                        options=self.options, settings=mark)

    def train(self, bar: tqdm) -> None:
        """Train, or continue."""
        if self.state.get('trained'):
            return
        self._call('train', [self.config, '--work-dir', str(self.folder), '--resume', 'auto'], bar)
        self._write(trained=True)

    def test(self, bar: tqdm) -> None:
        """Test the last checkpoint and note the metrics."""
        if 'metrics' in self.state:
            return
        checkpoint = (self.folder / 'last_checkpoint').read_text().strip()
        start = time.perf_counter()
        self._call('test', [self.config, checkpoint, '--work-dir', str(self.folder / 'test')], bar)
        cost = self.folder / 'training_cost.json'
        self._write(metrics=read_metrics(self.folder / 'test'), checkpoint=checkpoint,
                    test_seconds=round(time.perf_counter() - start, 1),
                    cost=json.loads(cost.read_text()) if cost.is_file() else {})

    def _call(self, tool: str, arguments: list[str], bar: tqdm) -> None:
        log = self.folder / f'{tool}.log'
        command = [sys.executable, str(ROOT / 'tools' / f'{tool}.py'), *arguments,
                   '--cfg-options', *self.options]
        # idle threads must not spin, and the small language model comes from a package
        environment = {'OMP_WAIT_POLICY': 'PASSIVE', 'HF_HUB_OFFLINE': '1', **os.environ}
        if self.jobs > 1:
            environment.setdefault('OMP_NUM_THREADS', str(max(1, os.cpu_count() // self.jobs)))
        bar.set_description(f'{self.name}: {tool}')
        with open(log, 'a') as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT,
                                       env=environment, close_fds=False)
            said = ''
            try:
                while process.poll() is None and not self.stop.is_set():
                    if (now := _eta(log)) != said:
                        bar.set_postfix_str(said := now)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=2)
            finally:
                # also on Ctrl-C or when another run failed: nothing is left running
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if self.stop.is_set():
            raise RuntimeError(f'{self.name}: stopped; start again to continue')
        if process.returncode:
            tail = '\n'.join(log.read_text(errors='replace').splitlines()[-15:])
            raise RuntimeError(f'{self.name}: tools/{tool}.py ended with status '
                               f'{process.returncode}, see {log}. It said at last:\n{tail}')
        bar.update()


def lock(work_dir: Path) -> int:
    """Keep others out of a folder as long as this process, or a training that it left, lives.

    Returns:
        The descriptor that holds the lock; children inherit it.

    Raises:
        RuntimeError: If another holds it.
    """
    import fcntl
    work_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(work_dir / '.lock', os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise RuntimeError(f"'{work_dir}' is in use: this tool, or a training that it started, "
                           'still runs there; wait for it or give another --work-dir') from error
    os.set_inheritable(descriptor, True)
    return descriptor


def _short(path: str) -> str:
    whole = Path(path).resolve()
    return str(whole.relative_to(ROOT)) if whole.is_relative_to(ROOT) else path


def _eta(log: Path) -> str:
    with open(log, 'rb') as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = file.read().decode(errors='replace').splitlines()
    found = [line for line in lines if 'Epoch(' in line and 'eta:' in line]
    return ' '.join(found[-1].split('INFO - ')[-1].split()[:6]) if found else ''


def read_metrics(folder: Path) -> dict[str, float]:
    """Metrics of the newest test below a folder, by the names of ``METRICS``.

    MMDetection's COCO metric is silent where a model detects nothing at all: that is an AP of 0.

    Raises:
        FileNotFoundError: If there is none.
    """
    files = sorted(folder.glob('*/*.json'), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in files:
        content = json.loads(path.read_text())
        if METRICS['phrase_recall_at_1'] in content:
            return {name: float(content.get(key, 0.)) for name, key in METRICS.items()}
    raise FileNotFoundError(f"no file below '{folder}' holds the metrics of tools/test.py")


def values_of(runs: Sequence[Mapping], variant: str, metric: str) -> dict[int, float]:
    """Percent by seed."""
    return {run['seed']: 100 * run['metrics'][metric] for run in runs
            if run['variant'] == variant and 'metrics' in run}


def make_table(runs: Sequence[Mapping]) -> str:
    """Mean ± deviation of every variant, and paired differences between neighbours.

    Args:
        runs: What ``run.json`` holds, of finished runs.

    Returns:
        Markdown.
    """
    variants = list(dict.fromkeys(run['variant'] for run in runs))
    lines = [f"| variant | seeds | {' | '.join(COLUMNS.values())} | minutes a run |",
             '| --- | --- |' + ' --- |' * (len(COLUMNS) + 1)]
    for variant in variants:
        cells = [plus_minus(*mean_and_deviation(list(values_of(runs, variant, m).values())))
                 for m in COLUMNS]
        spent = [run['cost'].get('train_seconds', float('nan')) + run['test_seconds']
                 for run in runs if run['variant'] == variant]
        minutes = plus_minus(*mean_and_deviation([s / 60 for s in spent]))
        count = len(values_of(runs, variant, 'ap_seen'))
        lines.append(f"| {variant} | {count} | {' | '.join(cells)} | {minutes} |")
    for before, after in zip(variants, variants[1:]):
        cells = []
        shared: list[int] = []
        for metric in COLUMNS:
            old, new = (values_of(runs, v, metric) for v in (before, after))
            shared = sorted(set(old) & set(new))
            gains = [new[seed] - old[seed] for seed in shared]
            cells.append(_gain(gains) if gains else '–')
        lines.append(f"| {after} − {before} | {len(shared)} | {' | '.join(cells)} | |")
    return '\n'.join(lines)


def _gain(gains: Sequence[float]) -> str:
    text = plus_minus(*mean_and_deviation(gains))
    return f"{'' if text.startswith('-') else '+'}{text} ({sum(g > 0 for g in gains)} of " \
           f'{len(gains)} better)'


def draw(runs: Sequence[Mapping], path: Path) -> None:
    """Draw the columns of the table, a panel each."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    variants = list(dict.fromkeys(run['variant'] for run in runs))
    figure, axes = plt.subplots(1, len(COLUMNS), figsize=(3.6 * len(COLUMNS), 3.2),
                                layout='constrained', squeeze=False)
    for panel, (metric, title) in zip(axes[0], COLUMNS.items()):
        plot_bars(panel, {v: list(values_of(runs, v, metric).values()) for v in variants})
        panel.set(title=title, ylabel='percent', ylim=(0, None))
    save_figure(figure, path)
    plt.close(figure)


def report(work_dir: Path, variants: Sequence[str]) -> str:
    """Collect finished runs, write results.json, results.md and results.png.

    Args:
        work_dir: Folder of all runs.
        variants: Which, in order.

    Returns:
        The table.

    Raises:
        FileNotFoundError: If no run is finished.
    """
    runs = [json.loads(file.read_text()) for variant in variants
            for file in sorted((work_dir / variant).glob('seed*/run.json'))]
    runs = sorted((run for run in runs if 'metrics' in run),
                  key=lambda run: (list(variants).index(run['variant']), run['seed']))
    if not runs:
        raise FileNotFoundError(f"no run in '{work_dir}' is finished")
    table = make_table(runs)
    content = dict(runs=runs, mean={v: {
        m: dict(zip(('mean', 'deviation'), mean_and_deviation(
            list(values_of(runs, v, m).values())))) for m in METRICS}
        for v in dict.fromkeys(run['variant'] for run in runs)})
    # a deviation of a single run is no number, which JSON does not know
    text = json.dumps(content, indent=2).replace('NaN', 'null')
    write_atomically(work_dir / 'results.json', (text + '\n').encode())
    write_atomically(work_dir / 'results.md', (table + '\n').encode())
    draw(runs, work_dir / 'results.png')
    return table


def run_all(runs: Sequence[Run], jobs: int, collect: Callable[[], object]) -> None:
    """Make all runs, and collect results after each.

    Raises:
        RuntimeError: If one fails; the others are stopped.
    """
    steps = sum(('metrics' not in r.state) + (not r.state.get('trained')) for r in runs)
    Run.stop.clear()

    def make(run: Run) -> None:
        run.train(bar)
        run.test(bar)

    with tqdm(total=steps, unit='step') as bar, ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(make, run) for run in runs]
        try:
            for future in as_completed(futures):
                future.result()
                collect()
        except BaseException:
            Run.stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def main() -> None:
    """Run what is missing and report."""
    parser = make_parser()
    args = parser.parse_args()
    work_dir = Path(args.work_dir)
    held = None
    try:
        if args.jobs < 1:
            raise ValueError(f'--jobs {args.jobs} must be at least 1')
        variants = parse_variants(args.variants)
        if not args.report_only:
            held = lock(work_dir)
            # seed by seed: stopped early, all variants have as many
            runs = [Run(work_dir / name / f'seed{seed}', name, config, seed, args.cfg_options,
                        args.jobs)
                    for seed in args.seeds for name, config in variants.items()]
            for run in runs:
                run.prepare(args.restart)
            run_all(runs, args.jobs, lambda: report(work_dir, list(variants)))
        table = report(work_dir, list(variants))
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')
    finally:
        if held is not None:
            os.close(held)
    print(table)
    print(f"\nresults: {work_dir / 'results.json'}, results.md and results.png beside it")


if __name__ == '__main__':
    main()
