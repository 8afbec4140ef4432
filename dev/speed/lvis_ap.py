"""Benchmark of LVIS fixed AP against the packages that compute it.

Generates annotations and detections of the size of LVIS minival, then scores them in a separate
process for each implementation: glip_mm's metric, the ``lvis`` package, and faster-coco-eval if
installed (pip install --no-deps faster-coco-eval). Prints seconds, seconds of CPU time, peak memory
and all results, and fails if glip_mm's differ from those of ``lvis``.

glip_mm's time is from the samples as in a test to the result, including the cap on each category;
the packages get lists of the capped detections, and building the lists is not counted.
Reading the annotations is counted for all.

Example:
    python -m dev.speed.lvis_ap
    python -m dev.speed.lvis_ap --images 500 --detections 150000
"""

import argparse
import collections
import importlib.metadata
import importlib.util
import json
import logging
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CAP = 10_000
WAYS = ('glip_mm', 'lvis', 'faster-coco-eval')
NAMES = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'APr', 'APc', 'APf')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.lvis_ap', description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=4809)
    parser.add_argument('--categories', type=int, default=1203)
    parser.add_argument('--boxes', type=float, default=10.6, help='boxes an image')
    parser.add_argument('--detections', type=int, default=1_500_000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=list(WAYS))
    parser.add_argument('--out', help='JSON file for the results')
    parser.add_argument('--score', nargs=2, metavar=('WAY', 'FOLDER'), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

import numpy as np


def generate(args: argparse.Namespace, folder: Path) -> None:
    """Write ``annotations.json`` and ``detections.npz``.

    A few categories are in most images and most in few, as in LVIS. Half of the detections lie
    near boxes, the others anywhere and of any category; a tenth of the scores are ties.
    """
    rng = np.random.default_rng(args.seed)
    K = args.categories
    share = 1 / np.arange(1, K + 1)**1.2
    share = rng.permutation(share / share.sum())
    order = np.argsort(-share)
    frequency = np.empty(K, dtype='<U1')
    for letter, part in zip('fcr', np.split(order, [K // 3, K * 7 // 10])):
        frequency[part] = letter
    images, annotations = [], []
    for image in range(args.images):
        present = np.unique(rng.choice(K, 1 + rng.poisson(args.boxes / 3), p=share))
        absent = np.setdiff1d(rng.choice(K, 10), present)
        images.append(dict(id=image + 1, file_name=f'{image + 1}.jpg', width=640, height=480,
                           neg_category_ids=(absent + 1).tolist(),
                           not_exhaustive_category_ids=(present[rng.random(len(present)) < .05]
                                                        + 1).tolist()))
        for category in present:
            for _ in range(rng.geometric(.4)):
                x, y = rng.random(2) * [500, 380]
                w, h = np.exp(rng.normal(3.8, .9, 2)).clip(3, 400)
                annotations.append(dict(
                    id=len(annotations) + 1, image_id=image + 1, category_id=int(category) + 1,
                    bbox=[round(float(v), 2) for v in (x, y, w, h)],
                    area=round(float(w * h) * .7, 2)))
    (folder / 'annotations.json').write_text(json.dumps(dict(
        images=images, annotations=annotations,
        categories=[dict(id=k + 1, name=f'category {k + 1}', frequency=str(frequency[k]))
                    for k in range(K)])), encoding='utf-8')
    near, far = args.detections // 2, args.detections - args.detections // 2
    pick = rng.integers(0, len(annotations), near)
    truth = np.array([row['bbox'] for row in annotations])
    boxes = truth[pick] + rng.normal(0, .12, (near, 4)) * np.tile(truth[pick, 2:], 2)
    boxes = np.concatenate([boxes, rng.random((far, 4)) * [500, 380, 140, 100]])
    boxes[:, 2:] = np.abs(boxes[:, 2:]) + boxes[:, :2]
    image = np.concatenate([np.array([row['image_id'] for row in annotations])[pick],
                            rng.integers(1, args.images + 1, far)])
    label = np.concatenate([np.array([row['category_id'] for row in annotations])[pick] - 1,
                            rng.integers(0, K, far)])
    score = rng.beta(1, 3, args.detections)
    score[::10] = score[::10].round(2)
    order = np.argsort(image, kind='stable')
    np.savez(folder / 'detections.npz', image=image[order], label=label[order].astype(np.int32),
             boxes=boxes[order].astype(np.float32), score=score[order].astype(np.float32))


class Clock:
    """Wall-clock and CPU time since its creation."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Return both times; on a busy machine only CPU times are comparable."""
        return dict(seconds=time.perf_counter() - self._start[0],
                    cpu_seconds=time.process_time() - self._start[1])


def score_glip_mm(folder: Path) -> dict[str, Any]:
    """Score with LVISFixedAPMetric, image by image."""
    from glip_mm.evaluation import LVISFixedAPMetric
    columns = np.load(folder / 'detections.npz')
    image, label, boxes, score = (columns[k] for k in ('image', 'label', 'boxes', 'score'))
    clock = Clock()
    metric = LVISFixedAPMetric(str(folder / 'annotations.json'), topk=CAP)
    edges = np.searchsorted(image, np.arange(1, len(metric.truth.image_ids) + 2))
    for index, (a, b) in enumerate(zip(edges, edges[1:])):
        metric.process({}, [dict(img_id=index + 1, pred_instances=dict(
            bboxes=boxes[a:b], labels=label[a:b], scores=score[a:b]))])
    found = metric.evaluate(len(edges) - 1)
    times = clock.read()
    return dict(times, metrics={name: found[f'lvis/{name}'] for name in NAMES})


def capped_lists(folder: Path) -> list[dict]:
    """Return the best detections of each category in the packages' format."""
    columns = np.load(folder / 'detections.npz')
    image, label, boxes, score = (columns[k] for k in ('image', 'label', 'boxes', 'score'))
    order = np.lexsort((image, -score, label))
    starts = np.searchsorted(label[order], label[order])
    order = order[np.arange(len(order)) - starts < CAP]
    boxes = boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return [dict(image_id=i, category_id=c, bbox=b, score=s) for i, c, b, s in zip(
        image[order].tolist(), (label[order] + 1).tolist(), boxes[order].tolist(),
        score[order].astype(np.float64).tolist())]


def score_lvis(folder: Path) -> dict[str, Any]:
    """Score with the ``lvis`` package."""
    from glip_mm.compat import import_lvis
    import_lvis()
    from lvis import LVIS, LVISEval, LVISResults
    logging.getLogger('lvis').setLevel(logging.ERROR)
    results = capped_lists(folder)
    clock = Clock()
    truth = LVIS(str(folder / 'annotations.json'))
    evaluation = LVISEval(truth, LVISResults(truth, results, max_dets=-1), 'bbox')
    evaluation.params.max_dets = -1
    evaluation.run()
    times = clock.read()
    found = evaluation.get_results()
    return dict(times, metrics={name: float(found[name]) for name in NAMES})


def score_faster_coco_eval(folder: Path) -> dict[str, Any]:
    """Score with faster-coco-eval, in its LVIS style."""
    from faster_coco_eval import COCO, COCOeval_faster
    results = capped_lists(folder)
    clock = Clock()
    truth = COCO(str(folder / 'annotations.json'))
    evaluation = COCOeval_faster(truth, truth.loadRes(results), 'bbox', lvis_style=True,
                                 print_function=lambda *_: None, extra_calc=False)
    # maxDets counts per image and category here, and memory is reserved for it: as few as needed
    pairs = [(entry['image_id'], entry['category_id']) for entry in results]
    evaluation.params.maxDets = [max(collections.Counter(pairs).values())]
    evaluation.evaluate()
    evaluation.accumulate()
    times = clock.read()
    precision = evaluation.eval['precision']  # [T, R, K, A, M]
    kinds = np.array([category['frequency'] for category in truth.loadCats(truth.getCatIds())])
    all_areas = precision[:, :, :, 0]
    parts = [all_areas, all_areas[:1], all_areas[5:6],
             *(precision[:, :, :, a] for a in (1, 2, 3)),
             *(all_areas[:, :, kinds == letter] for letter in 'rcf')]
    return dict(times, metrics={
        name: float(part[part > -1].mean()) for name, part in zip(NAMES, parts)})


def measure(way: str, folder: Path) -> dict[str, Any]:
    """Run an implementation in a separate process."""
    command = [sys.executable, __file__, '--score', way, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{way} failed:\n{done.stderr[-2000:]}')
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory() -> float:
    """Return the peak memory of this process in MiB; not on Windows."""
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def processor() -> str:
    """Return the name of the CPU."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.exists() else []
    names = [line.split(':')[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure and print."""
    args = parse_args()
    if args.score:
        way, folder = args.score
        score = {'glip_mm': score_glip_mm, 'lvis': score_lvis,
                 'faster-coco-eval': score_faster_coco_eval}[way]
        result = score(Path(folder))
        print(json.dumps(dict(result, peak_mib=peak_memory())))
        return
    ways = [way for way in args.ways if importlib.util.find_spec(way.replace('-', '_'))]
    versions = {name: importlib.metadata.version(name) for name in ('numpy', *ways)
                if name != 'glip_mm'}
    print(f'{processor()}, Python {platform.python_version()}, '
          + ', '.join(f'{name} {version}' for name, version in versions.items()))
    with tempfile.TemporaryDirectory() as name:
        generate(args, Path(name))
        boxes = (Path(name) / 'annotations.json').read_text(encoding='utf-8').count('"bbox"')
        print(f'{args.images:,} images, {args.categories:,} categories, {boxes:,} boxes, '
              f'{args.detections:,} detections')
        results = {}
        for way in ways:
            try:
                results[way] = row = measure(way, Path(name))
            except RuntimeError as error:
                print(f'{way:>18} failed: {str(error).splitlines()[-1]}', flush=True)
                continue
            print(f"{way:>18} {row['seconds']:9.1f} s, {row['cpu_seconds']:9.1f} s of CPU time, "
                  f"{row['peak_mib']:9,.0f} MiB  " + '  '.join(
                f'{k} {v:.15g}' for k, v in row['metrics'].items()), flush=True)
    if args.out:
        Path(args.out).write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
    if {'glip_mm', 'lvis'} <= set(results):
        ours, theirs = results['glip_mm'], results['lvis']
        print(f"{theirs['seconds'] / ours['seconds']:.1f} times as fast, "
              f"{theirs['cpu_seconds'] / ours['cpu_seconds']:.1f} by CPU time, in "
              f"{ours['peak_mib'] / theirs['peak_mib']:.2f} of the memory")
        worst = max(abs(ours['metrics'][k] - theirs['metrics'][k]) for k in NAMES)
        if worst > 1e-12:
            sys.exit(f'the numbers differ by up to {worst:.3g}')


if __name__ == '__main__':
    main()
