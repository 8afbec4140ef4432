"""Runs of an experiment: each is trained, tested and recorded once, in its own folder."""

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

from filelock import lock_descriptor
from mmengine.config import Config, DictAction
from tqdm import tqdm

from glip_mm.atomic_files import write_atomically

from .options import ROOT

# name in the results -> key of tools/test.py's metrics, in 0..1; all files hold the last
METRICS = dict(
    ap_seen='seen/coco/bbox_mAP', ap_unseen_pairs='unseen/coco/bbox_mAP',
    ap50_seen='seen/coco/bbox_mAP_50', ap50_unseen_pairs='unseen/coco/bbox_mAP_50',
    ap50_synonyms='synonyms/coco/bbox_mAP_50', phrase_recall_at_1='grounding/phrases/Recall@1')


def fingerprint(config: str, options: Sequence[str], seed: int) -> str:
    """Hash all settings of a run."""
    settings = Config.fromfile(config)
    parser = argparse.ArgumentParser()
    parser.add_argument('--o', nargs='*', action=DictAction, default={})
    settings.merge_from_dict(parser.parse_args(['--o', *options]).o)
    text = json.dumps(settings.to_dict(), sort_keys=True, default=repr)
    return hashlib.sha256(f'{seed} {text}'.encode()).hexdigest()[:16]


class Run:
    """A variant with a seed, and its progress.

    Args:
        folder: Folder of the run.
        variant: Name of the variant.
        config: Config of the variant.
        seed: Random seed.
        options: ``KEY=VALUE`` settings.
        jobs: Number of runs that share the cores.
        metrics: Metrics to record, see ``METRICS``.
        before: Function called before training; returns variables for its environment.
        ready: Function that tells whether the run can begin; others go first while it cannot.
    """

    #: Event that ends all runs.
    stop = threading.Event()

    def __init__(self, folder: Path, variant: str, config: str, seed: int,
                 options: Sequence[str], jobs: int = 1, metrics: Mapping[str, str] = METRICS,
                 before: Callable[[tqdm], Mapping[str, str]] = lambda bar: {},
                 ready: Callable[[], bool] = lambda: True) -> None:
        self.jobs, self.metrics, self.before, self.ready = jobs, metrics, before, ready
        self.environment: Mapping[str, str] = {}
        self.folder, self.variant, self.config, self.seed = folder, variant, config, seed
        self.options = [*options, f'randomness.seed={seed}']
        self.file = folder / 'run.json'
        self.state = self._read()

    def _read(self) -> dict:
        return json.loads(self.file.read_text(encoding='utf-8')) if self.file.is_file() else {}

    def note(self, **news: object) -> None:
        """Record facts about the run in ``run.json``."""
        self.state.update(news)
        write_atomically(self.file, (json.dumps(self.state, indent=2) + '\n').encode())

    @property
    def name(self) -> str:
        """Return a readable name."""
        return f'{self.variant}, seed {self.seed}'

    @property
    def mark(self) -> str:
        """Return a hash of all settings."""
        return fingerprint(self.config, self.options, self.seed)

    @property
    def steps_left(self) -> int:
        """Return the number of tools that are still to be run."""
        return ('metrics' not in self.state) + (not self.state.get('trained'))

    def prepare(self, restart: bool) -> None:
        """Check that the content of the folder was made with the same settings.

        Raises:
            ValueError: If it was not.
        """
        mark = self.mark
        if self.state and self.state.get('settings') != mark:
            if not restart:
                raise ValueError(f"'{self.folder}' was made with other settings of "
                                 f'{self.config}; give another --work-dir, or --restart to throw '
                                 'it away')
            shutil.rmtree(self.folder)
            self.state = {}
        if not self.state:
            self.note(variant=self.variant, seed=self.seed, config=_short(self.config),
                        options=self.options, settings=mark)

    def train(self, bar: tqdm) -> None:
        """Train, or resume the training."""
        if self.state.get('trained'):
            return
        self.environment = {**self.environment, **self.before(bar)}
        self.call('train', [self.config, '--work-dir', str(self.folder), '--resume', 'auto'], bar)
        self.note(trained=True)

    def test(self, bar: tqdm) -> None:
        """Test the last checkpoint and record the metrics."""
        if 'metrics' in self.state:
            return
        checkpoint = (self.folder / 'last_checkpoint').read_text(encoding='utf-8').strip()
        start = time.perf_counter()
        self.call('test', [self.config, checkpoint, '--work-dir', str(self.folder / 'test')], bar)
        cost = self.folder / 'training_cost.json'
        self.note(metrics=read_metrics(self.folder / 'test', self.metrics), checkpoint=checkpoint,
                    test_seconds=round(time.perf_counter() - start, 1),
                    cost=json.loads(cost.read_text(encoding='utf-8')) if cost.is_file() else {})

    def call(self, tool: str, arguments: Sequence[str], bar: tqdm, options: bool = True) -> None:
        """Run a tool of ``tools/`` with its output in a file beside the run.

        Args:
            tool: Name of the tool, without ``.py``.
            arguments: Arguments of its command line.
            bar: Progress bar, which advances by one.
            options: Whether the tool takes the settings of the run.

        Raises:
            RuntimeError: If it fails, or all runs are to stop.
        """
        log = self.folder / f'{tool}.log'
        command = [sys.executable, str(ROOT / 'tools' / f'{tool}.py'), *arguments]
        command += ['--cfg-options', *self.options] if options else []
        # idle threads must not spin, and the small language model comes from a package
        environment = {'OMP_WAIT_POLICY': 'PASSIVE', 'HF_HUB_OFFLINE': '1', **os.environ,
                       **self.environment}
        if self.jobs > 1:
            environment.setdefault('OMP_NUM_THREADS', str(max(1, os.cpu_count() // self.jobs)))
        bar.set_description(f'{self.name}: {tool}')
        with open(log, 'a', encoding='utf-8') as file:
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
                # also on Ctrl-C or when another run failed: no child process may survive
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if self.stop.is_set():
            raise RuntimeError(f'{self.name}: stopped; start again to continue')
        if process.returncode:
            tail = '\n'.join(log.read_text(encoding='utf-8', errors='replace').splitlines()[-15:])
            raise RuntimeError(f'{self.name}: tools/{tool}.py ended with status '
                               f'{process.returncode}, see {log}. It said at last:\n{tail}')
        bar.update()


def lock(work_dir: Path) -> int:
    """Lock a folder as long as this process, or a training that it started, lives.

    Returns:
        The descriptor that holds the lock; children inherit it, except on Windows.

    Raises:
        RuntimeError: If another process holds the lock.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(work_dir / '.lock', os.O_RDWR | os.O_CREAT)
    if not lock_descriptor(descriptor, blocking=False):
        os.close(descriptor)
        raise RuntimeError(f"'{work_dir}' is in use: this tool, or a training that it started, "
                           'still runs there; wait for it or give another --work-dir')
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


def read_metrics(folder: Path, metrics: Mapping[str, str] = METRICS) -> dict[str, float]:
    """Read the metrics of the newest test below a folder, by the names of ``metrics``.

    MMDetection's COCO metric returns nothing if a model detects nothing at all: that is an AP of 0.

    Raises:
        FileNotFoundError: If there is none.
    """
    files = sorted(folder.glob('*/*.json'), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in files:
        content = json.loads(path.read_text(encoding='utf-8'))
        if list(metrics.values())[-1] in content:
            return {name: float(content.get(key, 0.)) for name, key in metrics.items()}
    raise FileNotFoundError(f"no file below '{folder}' holds the metrics of tools/test.py")


def run_all(runs: Sequence[Run], jobs: int) -> None:
    """Execute all runs, in order but for those that are not ready.

    Raises:
        RuntimeError: If one fails; the others are stopped.
    """
    Run.stop.clear()
    waiting, taking = list(runs), threading.Lock()
    failures: list[BaseException] = []

    def take() -> Run | None:
        with taking:
            run = next((run for run in waiting if run.ready()), None)
            if run is not None:
                waiting.remove(run)
            return run

    def work() -> None:
        while waiting and not Run.stop.is_set():
            run = take()
            if run is None:
                Run.stop.wait(1)
                continue
            try:
                run.train(bar)
                run.test(bar)
            except BaseException as error:
                # before this thread takes the next run
                failures.append(error)
                Run.stop.set()
                raise

    with (tqdm(total=sum(run.steps_left for run in runs), unit='step') as bar,
          ThreadPoolExecutor(jobs) as pool):
        futures = [pool.submit(work) for _ in range(jobs)]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException as error:
            Run.stop.set()
            # the others fail because they are stopped: report the first error
            raise (failures[0] if failures else error) from None
