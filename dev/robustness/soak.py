"""Train and predict for long, with prompts, sizes and numbers of names that change all the time.

Memory, shared memory, open descriptors, threads and cached prompts are measured on the way. After
a third of the steps, in which caches and pools fill, they must be flat: the exit status is 1 if the
fitted growth of one exceeds its bound. Caches of prompts, and oneDNN's of the kernels that it makes
for each size, are made small, so that they are full soon and forget from then on; they may hold
what they are made for.

Example:
    python -m dev.robustness.soak --iterations 1000 --predictions 5000 --out work_dirs/soak
"""

import argparse
import json
import os
import random
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

COLUMNS = ('job', 'resource', 'after the warm-up', 'at the end', 'peak', 'fitted growth', 'bound',
           'flat')
#: Measurements of a job.
SAMPLES = 200


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.robustness.soak', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iterations', type=int, default=1000, help='of the training')
    parser.add_argument('--predictions', type=int, default=5000)
    parser.add_argument('--workers', type=int, default=2, help="of the training's loader")
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    args = parser.parse_args(argv)
    if args.out.exists() and any(args.out.iterdir()):
        parser.error(f"--out '{args.out}' is not empty")
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

os.environ.setdefault('HF_HUB_OFFLINE', '1')
for capacity in ('ONEDNN_PRIMITIVE_CACHE_CAPACITY', 'LRU_CACHE_CAPACITY'):
    os.environ.setdefault(capacity, '16')

import numpy as np
from mmengine.config import Config
from mmengine.hooks import Hook

from dev.robustness.jobs import write_inputs
from dev.robustness.resources import CACHED_PROMPTS, CACHED_TOKENS, Course, draw, growths
from dev.speed.benchmark_report import machine, versions
from glip_mm.apis import GLIPInferencer
from glip_mm.apis.launch import build_runner


def shrink_caches(model: Any) -> None:
    """Make the caches of prompts small."""
    model.prompts._cache.most = CACHED_PROMPTS
    model.language_model._cache.most = CACHED_TOKENS


def cached(model: Any) -> int:
    """Count the prompts and texts that a model remembers."""
    return len(model.prompts._cache) + len(model.language_model._cache)


class MeasuringHook(Hook):
    """Measures the resources of a training.

    Args:
        course: What gains the measurements.
        every: Iterations between two.
    """

    def __init__(self, course: Course, every: int) -> None:
        self.course, self.every = course, every

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: Any = None) -> None:
        """Measure."""
        if self.every_n_train_iters(runner, self.every):
            self.course.measure(runner.iter + 1, cached(runner.model))


def train(inputs: Path, out: Path, iterations: int, workers: int, seed: int) -> Course:
    """Train with loader workers, eight evaluations and twenty checkpoints."""
    course = Course('training iterations')
    config = Config.fromfile(inputs / 'nano.py')
    config.work_dir, config.randomness = str(out), dict(seed=seed)
    config.train_cfg = dict(type='ResumableIterLoop', max_iters=iterations,
                            val_interval=-(-iterations // 8))
    config.param_scheduler = None
    config.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    config.val_dataloader.update(num_workers=min(workers, 1))
    config.default_hooks.checkpoint.interval = -(-iterations // 20)
    config.default_hooks.logger.interval = 50
    config.log_processor = dict(by_epoch=False)
    runner = build_runner(config)
    shrink_caches(runner.model)
    runner.register_hook(MeasuringHook(course, max(1, iterations // SAMPLES)))
    runner.train()
    return course


def requests(count: int, seed: int) -> Iterable[dict[str, Any]]:
    """Yield calls of an inferencer: one image or some, lists of names, captions, one for each."""
    rng = random.Random(seed)
    words = sorted({''.join(rng.choices('abcdefghijklmnopqrstuvwxyz', k=rng.randint(3, 9)))
                    for _ in range(5000)})
    for _ in range(count):
        images = [np.random.default_rng(rng.randrange(2**32)).integers(
            0, 256, (rng.randint(24, 128), rng.randint(24, 128), 3), dtype=np.uint8)
            for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        prompts: list[tuple[Any, Any]] = [
            (rng.sample(words, rng.choice([1, 3, 12, 80])), None) if rng.random() < .8
            else _caption(rng.choice(words), rng.choice(words)) for _ in images]
        texts, spans = map(list, zip(*prompts))
        same = rng.random() < .5
        yield dict(inputs=images, texts=texts[0] if same else texts,
                   **(dict(spans=spans[0]) if same else dict(spans=spans, per_image=True)),
                   batch_size=rng.choice([1, 2]), return_vis=rng.random() < .05)


def _caption(first: str, second: str) -> tuple[str, list[list[list[int]]]]:
    """Return a caption and the spans of its phrases."""
    text = f'a {first} beside the {second}'
    return text, [[[2, 2 + len(first)]], [[len(text) - len(second), len(text)]]]


def predict(inputs: Path, predictions: int, seed: int) -> Course:
    """Predict with prompts, image sizes and numbers of names that change with every call."""
    course = Course('predictions')
    inferencer = GLIPInferencer(str(inputs / 'nano.py'), str(inputs / 'start.pth'), device='cpu',
                                show_progress=False)
    shrink_caches(inferencer.model)
    done, every = 0, max(1, predictions // SAMPLES)
    for call in requests(predictions, seed):
        inferencer(**call)
        before, done = done, done + len(call['inputs'])
        if done // every > before // every:
            course.measure(done, cached(inferencer.model))
        if done >= predictions:
            break
    return course


def table(courses: Sequence[Course]) -> str:
    """Return the table in Markdown."""
    rows = [list(COLUMNS), ['---'] * len(COLUMNS)]
    rows += [[course.name, g.resource, f'{g.begin:.1f}', f'{g.end:.1f}', f'{g.peak:.1f}',
              f'{g.growth:.2f}', f'{g.bound:g}', 'yes' if g.flat else '**no**']
             for course in courses for g in growths(course)]
    return '\n'.join(f"| {' | '.join(row)} |" for row in rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run both; return 1 if a resource grew."""
    args = parse_args(argv)
    inputs = args.out.resolve() / 'inputs'
    write_inputs(inputs, images=60)
    os.chdir(inputs)  # where the config expects its data
    out = inputs.parent
    courses = [train(inputs, out / 'train', args.iterations, args.workers, args.seed),
               predict(inputs, args.predictions, args.seed)]
    flat = all(g.flat for course in courses for g in growths(course))
    record = dict(command=' '.join(['python -m dev.robustness.soak', *map(
        shlex.quote, sys.argv[1:] if argv is None else argv)]), seed=args.seed,
        machine=machine('cpu'), versions=versions(), flat=flat,
        courses={c.name: dict(steps=c.steps, values=c.values,
                              growths=[g._asdict() for g in growths(c)]) for c in courses})
    (out / 'soak.json').write_text(json.dumps(record))
    (out / 'soak.md').write_text(table(courses) + '\n')
    draw(courses, out / 'soak.png')
    print(table(courses))
    return 0 if flat else 1


if __name__ == '__main__':
    sys.exit(main())
