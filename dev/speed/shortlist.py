"""Benchmark of test_cfg.shortlist: what looking for the K best names alone costs, and saves.

``ap`` tests a trained model on an LVIS-like data set, all names and then each shortlist, and
draws AP over K. ``time`` runs a published architecture with generated weights once for each setting
on one image with 1,203 names; texts of the vocabulary are encoded before, as after the first image.

Example:
    python -m dev.speed.shortlist ap configs/experiments/glip_nano_long-tail.py FILE.pth \\
        --picture shortlist.svg
    python -m dev.speed.shortlist time --sizes 80 --scales 0.5 0.25
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .arguments import positive, share


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(prog='python -m dev.speed.shortlist', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest='part', required=True)
    ap = parts.add_parser('ap', help='AP of a trained model')
    ap.add_argument('config', help='config whose first metric is LVISFixedAPMetric')
    ap.add_argument('checkpoint')
    ap.add_argument('--picture', help='file of the curve, .svg or .png')
    ap.add_argument('--images', type=positive, metavar='N', help='test the first N images alone')
    clock = parts.add_parser('time', help='seconds of a published architecture')
    clock.add_argument('--model', choices=['glip_t_a', 'glip_t_b', 'glip_l'], default='glip_t_b')
    clock.add_argument('--size', nargs=2, type=positive, default=[800, 1333],
                       metavar=('HEIGHT', 'WIDTH'))
    clock.add_argument('--names', type=positive, default=1203)
    clock.add_argument('--nano', action='store_true', help='a model of the size for tests')
    for part, sizes in ((ap, [20, 40, 80, 160]), (clock, [80])):
        part.add_argument('--sizes', nargs='+', type=positive, default=sizes, metavar='K')
        part.add_argument('--scales', nargs='+', type=share, default=[0.25, 0.5])
        part.add_argument('--chunked-size', type=int, default=-1,
                          help='names per prompt on the small copy; -1: as many as fit')
        part.add_argument('--skip-all', action='store_true', help='do not look for all names')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from glip_mm.compat import apply_all

apply_all()
import numpy as np
import torch
from mmdet.structures import DetDataSample
from tqdm import tqdm

from glip_mm.models.dense_heads import PredictionSettings, Shortlist
from glip_mm.visualization.curves import Curve, plot_curves, save_figure

#: Columns of the table.
METRICS = ('AP', 'APr', 'APc', 'APf')


def shortlists(args: argparse.Namespace) -> Iterator[Shortlist | None]:
    """Yield the settings that are compared: all names first."""
    if not args.skip_all:
        yield None
    for scale in args.scales:
        for size in args.sizes:
            yield Shortlist(size, scale, args.chunked_size)


def title(shortlist: Shortlist | None) -> str:
    """Return the first columns of a table's row."""
    return '| all | |' if shortlist is None else f'| {shortlist.size} | {shortlist.scale:g} |'


def measure_ap(args: argparse.Namespace) -> list[tuple[Shortlist | None, dict[str, float]]]:
    """Test each setting, batch by batch.

    Returns:
        Settings and their ``METRICS`` in percent, and ``cpu``: seconds of CPU time per image.
    """
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from mmengine.runner import Runner

    from glip_mm.apis.building import build_model
    from glip_mm.registry import METRICS as REGISTRY
    config = Config.fromfile(args.config)
    model = build_model(config, args.checkpoint).eval()
    evaluator = config.test_evaluator
    rule = dict(evaluator[0] if isinstance(evaluator, list) else evaluator)
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    config.test_dataloader.dataset.indices = args.images
    with DefaultScope.overwrite_default_scope(config.default_scope), TemporaryDirectory() as folder:
        loader = Runner.build_dataloader(config.test_dataloader)
        data = loader.dataset
        if args.images is not None:
            rule['ann_file'] = annotations_of(
                rule['ann_file'], {data.get_data_info(i)['img_id'] for i in range(len(data))},
                folder)
        found: list[tuple[Shortlist | None, Any, list[float]]] = [
            (setting, REGISTRY.build(rule), []) for setting in shortlists(args)]
    for batch in tqdm(loader, unit='batch'):
        for shortlist, metric, seconds in found:
            metric.dataset_meta = data.metainfo
            settings: PredictionSettings = model.test_cfg.replace(shortlist=shortlist)
            start = time.process_time()
            with torch.no_grad():
                results = model.test_step(dict(batch), settings)
            seconds.append(time.process_time() - start)
            metric.process({}, [sample.to_dict() for sample in results])
    table = []
    for shortlist, metric, seconds in found:
        values = metric.evaluate(len(data))
        row = {name: 100 * values[f'{metric.prefix}/{name}'] for name in METRICS}
        table.append((shortlist, dict(row, cpu=sum(seconds) / len(data))))
    return table


def annotations_of(path: str, images: set[int], folder: str) -> str:
    """Write the annotations of some images of an LVIS file to a folder, and return the path."""
    content = json.loads(Path(path).read_text(encoding='utf-8'))
    content['images'] = [row for row in content['images'] if row['id'] in images]
    content['annotations'] = [row for row in content['annotations'] if row['image_id'] in images]
    part = Path(folder, 'part.json')
    part.write_text(json.dumps(content), encoding='utf-8')
    return str(part)


def draw(table: list[tuple[Shortlist | None, dict[str, float]]], path: str | Path) -> None:
    """Draw AP and AP of rare names over K, a line for each scale; all names stand at the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8, 3.4), layout='constrained')
    FigureCanvasAgg(figure)
    scales = list(dict.fromkeys(s.scale for s, _ in table if s is not None))
    for axes, name in zip(figure.subplots(1, 2), ('AP', 'APr')):
        plot_curves(axes, [Curve(
            f'small copy at {scale:g}',
            np.array([s.size for s, _ in table if s is not None and s.scale == scale], float),
            np.array([row[name] for s, row in table if s is not None and s.scale == scale]),
            dots=True, exact=True) for scale in scales])
        for shortlist, row in table:
            if shortlist is None:
                axes.axhline(row[name], color='black', linestyle=':', label='all names')
        axes.set_xscale('log')
        sizes = sorted({s.size for s, _ in table if s is not None})
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel('names looked for at full size')
        axes.set_ylabel(f'{name} [%]')
        axes.legend(frameon=False, fontsize='small')
    save_figure(figure, path)


def measure_time(args: argparse.Namespace) -> Iterator[tuple[Shortlist | None, float, float]]:
    """Run one image with each setting.

    Yields:
        Setting, wall-clock and CPU seconds.
    """
    from .cases import Case, make_images, vocabulary
    from .session import Session, Settings
    from .timing import seconds_of
    case = Case('lvis1203', 1, tuple(args.size), args.names)
    session = Session(args.model, Settings(nano=args.nano, ours_only=True))
    session.set_bias(session.choose_bias(case))
    model = session.ours
    for shortlist in shortlists(args):
        runner = session.runner('ours', case)
        model.test_cfg = model.test_cfg.replace(shortlist=shortlist)
        with torch.no_grad():  # texts of the vocabulary
            model.test_step(dict(inputs=make_images(1, (64, 64)), data_samples=[DetDataSample(
                metainfo=dict(text=tuple(vocabulary(case)), img_shape=(64, 64)))]))
        yield shortlist, *seconds_of(runner)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = make_parser().parse_args(argv)
    try:
        if args.part == 'time':
            print('| K | scale | seconds | CPU seconds | CPU ratio |\n' + '| --- ' * 5 + '|')
            first = None
            for shortlist, wall, cpu in measure_time(args):
                first = cpu if first is None else first
                print(f'{title(shortlist)} {wall:.1f} | {cpu:.1f} | {first / cpu:.2f} |',
                      flush=True)
            return
        table = measure_ap(args)
        print('| K | scale | AP | APr | APc | APf | CPU seconds an image |\n' + '| --- ' * 7 + '|')
        for shortlist, row in table:
            print(title(shortlist), ' | '.join(f'{row[name]:.1f}' for name in METRICS),
                  f"| {row['cpu']:.2f} |")
        if args.picture:
            draw(table, args.picture)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
