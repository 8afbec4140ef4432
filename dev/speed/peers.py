"""Models that users would pick instead of GLIP, on the same images and names.

transformers' Grounding DINO-T, MM-Grounding-DINO-T, OWLv2-B/16 and OmDet-Turbo with random weights
of the published sizes, this package's GLIP-T (B), and its ONNX export in onnxruntime: seconds, CPU
seconds and what one run adds to the memory, with 3, 80 and 1,203 names, at the input size that each
model was published with and at 800 x 1333. Each model runs in a process of its own, one after the
other. After each figure a JSON and a Markdown file are written; a second run with the same --out
measures what is left.

Example:
    OMP_NUM_THREADS=2 python -m dev.speed.peers --out peers.json
"""

import argparse
from collections.abc import Sequence

from .arguments import json_file, positive

MODELS = ('GLIP-T (B)', 'Grounding DINO-T', 'MM-Grounding-DINO-T', 'OWLv2-B/16',
          'OmDet-Turbo (Swin-T)', 'GLIP-T (B), ONNX')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.peers', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', nargs='+', choices=MODELS, default=MODELS, metavar='MODEL',
                        help=f"of {', '.join(MODELS)} (default: all)")
    parser.add_argument('--names', nargs='+', type=int, default=[3, 80, 1203],
                        help='sizes of the vocabulary (default: 3 80 1203)')
    parser.add_argument('--runs', type=positive, default=3,
                        help='timed runs, the median counts; 1 of more than 80 names (default: 3)')
    parser.add_argument('--nano', action='store_true', help='models and images of the tests')
    parser.add_argument('--out', type=json_file, default='peers.json',
                        help='JSON file, continued if it is there')
    parser.add_argument('--child', nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if any(n not in (3, 80) and not 80 < n <= 1280 for n in args.names):
        parser.error(f'--names must be 3, 80, or 81 to 1280, got {args.names}')
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from glip_mm.compat import apply_all

apply_all()
import torch
from torch import Tensor
from tqdm import tqdm

import glip_mm.models  # noqa: F401
from glip_mm.deploy.packages import require
from glip_mm.peak_memory import peak_rss

from .benchmark_report import machine, table, versions
from .cases import COCO, Case, long_vocabulary, make_images
from .ledger import Ledger, Record
from .memory import MIB, peak_resident, reset_peak, resident
from .peer_models import OURS, PEERS
from .session import Session, Settings
from .sides import ROOT, language_folder

#: Chunks of a long vocabulary that a peer runs; each is a whole run, so the others cost the same.
CHUNKS_RUN = 2
NANO = (96, 96)
#: A call: what is timed, and how many such calls the vocabulary needs.
Call = tuple[Callable[[], object], float]


def vocabulary(count: int) -> list[str]:
    """Return names: those of COCO as far as they go, else as long as those of LVIS."""
    return list(COCO[:count]) if count <= len(COCO) else long_vocabulary(count)


def sizes_of(model: str, nano: bool) -> list[tuple[int, int]]:
    """Return the input sizes to measure a model at: its own, then ours (ours: everybody's)."""
    if nano:
        return [NANO]
    if model == 'GLIP-T (B)':
        return [OURS, *sorted({peer.size for peer in PEERS.values()} - {OURS})]
    if model not in PEERS:
        return [OURS]
    peer = PEERS[model]
    ours = tuple(side // peer.step * peer.step for side in OURS)
    return list(dict.fromkeys((peer.size, ours)))


def is_measured(model: str, size: tuple[int, int], names: int) -> bool:
    """Return whether to measure: ours has long vocabularies at its own size alone."""
    if model == 'GLIP-T (B), ONNX':
        return names <= 80  # a file holds one prompt
    return model in PEERS or size in (OURS, NANO) or names <= 80


def our_calls(size: tuple[int, int], nano: bool) -> Iterator[Callable[[list[str]], Call]]:
    """Make the function from names to a call of GLIP-T (B)."""
    session = Session('glip_t_b', Settings(nano=nano, ours_only=True))

    def call(names: list[str]) -> Call:
        case = Case('lvis1203', 1, size, len(names)) if len(names) > 80 else Case(
            'names3' if len(names) == 3 else 'coco80', 1, size)
        session.set_bias(session.choose_bias(case))
        runner = session.runner('ours', case)
        runner.prepare()
        return runner, 1

    yield call


def onnx_calls(size: tuple[int, int], nano: bool) -> Iterator[Callable[[list[str]], Call]]:
    """Make the function from names to a call of the ONNX export in onnxruntime."""
    for package in ('onnx', 'onnxruntime'):
        require(package)
    from glip_mm.deploy.exporting import export
    from glip_mm.deploy.onnx_export import run, session
    from glip_mm.text import Prompt
    model = Session('glip_t_b', Settings(nano=nano, ours_only=True)).ours
    image = make_images(1, size)[0][None].float().numpy()
    with tempfile.TemporaryDirectory() as folder:
        def call(names: list[str]) -> Call:
            path = Path(folder) / f'{len(names)}.onnx'
            export(model, Prompt.from_names(names), path, size=size, compare=False)
            ready = session(str(path), threads=torch.get_num_threads())
            return (lambda: run(ready, image)), 1
        yield call


def peer_calls(model: str, size: tuple[int, int],
               nano: bool) -> Iterator[Callable[[list[str]], Call]]:
    """Make the function from names to a call of a model of transformers."""
    from transformers import AutoTokenizer
    peer = PEERS[model]
    torch.manual_seed(0)
    network = peer.build(nano).eval()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = AutoTokenizer.from_pretrained(language_folder(Path(folder)))
    image: Tensor = (make_images(1, size)[0][None].float() - 114) / 57

    def call(names: list[str]) -> Call:
        chunks = peer.chunk(names, tokenizer)
        arguments = [peer.inputs(chunk, tokenizer, image) for chunk in chunks[:CHUNKS_RUN]]

        @torch.no_grad()
        def run() -> None:
            for each in arguments:
                network(**each)
        return run, len(chunks) / len(arguments)

    yield call


def measure(call: Call, runs: int) -> dict[str, Any]:
    """Run once for memory and caches, then time.

    Args:
        call: What is timed, and how many such calls the vocabulary needs.
        runs: Number of timed runs.

    Returns:
        ``seconds`` and ``cpu_seconds``, medians, of the whole vocabulary; ``memory``, MiB that the
        first run added; ``factor``, more than 1 where only some chunks ran.
    """
    run, factor = call
    exact, before = reset_peak(), resident()
    run()
    memory = (peak_resident() - before) / MIB
    took = []
    for _ in range(runs):
        start = time.perf_counter(), time.process_time()
        run()
        took.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = (factor * statistics.median(column) for column in zip(*took))
    return dict(seconds=wall, cpu_seconds=cpu, memory=memory, exact=exact, factor=factor,
                process=(peak_rss() or 0) / MIB)


def child(args: argparse.Namespace) -> None:
    """Measure one model at one size, and print a line of JSON for each vocabulary."""
    model, size, counts = args.child[0], tuple(map(int, args.child[1:3])), args.child[3]
    ours = {'GLIP-T (B)': our_calls, 'GLIP-T (B), ONNX': onnx_calls}
    made = (ours[model](size, args.nano) if model in ours
            else peer_calls(model, size, args.nano))
    with contextlib.closing(made):
        call = next(made)
        for count in map(int, counts.split(',')):
            row = measure(call(vocabulary(count)), 1 if count > 80 else args.runs)
            print(json.dumps(dict(row, names=count)), flush=True)


def render(record: Record) -> str:
    """Format all figures for a page."""
    about, lines = record['about'], []
    for row in record['rows'].values():
        name = [row['model'], '{} x {}'.format(*row['size']), f"{row['names']:,}"]
        if 'error' in row:
            lines.append([*name, f"failed: {row['error'].splitlines()[-1]}", '', ''])
            continue
        mark = ' *' if row['factor'] > 1 else ''
        lines.append([*name, f"{row['seconds']:.3g}{mark}", f"{row['cpu_seconds']:.3g}{mark}",
                      f"{'' if row['exact'] else '≤ '}{row['memory']:,.0f}"])
    limits = [f'* {name}: {peer.limit}.' for name, peer in PEERS.items()]
    where = about['machine']
    return '\n'.join([
        f"{where['processor']}, {where['threads']} threads; Python {where['python']}, "
        + ', '.join(f'{k} {v}' for k, v in about['versions'].items()), '',
        table(('model', 'input', 'names', 'seconds', 'CPU seconds', 'MiB that a run adds'), lines),
        '', f'\\* of {CHUNKS_RUN} chunks, times the number of chunks.', '', *limits])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is left and print; return 1 if anything failed, 2 if the file is another's."""
    args = parse_args(argv)
    warnings.filterwarnings('ignore')
    if args.child:
        child(args)
        return 0
    about = dict(machine=machine('cpu'), versions=dict(versions(), **_onnxruntime()),
                 settings=dict(runs=args.runs, nano=args.nano))
    try:
        ledger = Ledger(args.out, about, render)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    work = [(model, size, names) for model in args.models for size in sizes_of(model, args.nano)
            for names in args.names if is_measured(model, size, names)]
    with tqdm(total=len(work), unit='figure') as bar:
        for model, size in dict.fromkeys((model, size) for model, size, _ in work):
            keys = {n: f"{model}, {size[0]} x {size[1]}, {n} names"
                    for m, s, n in work if (m, s) == (model, size)}
            left = [n for n, key in keys.items() if not ledger.has(key)]
            bar.update(len(keys) - len(left))
            bar.set_description(f'{model} {size[0]} x {size[1]}')
            for row in _in_a_process(args, model, size, left) if left else ():
                ledger.put(keys[row['names']], dict(row, model=model, size=list(size)))
                bar.update()
    print(render(ledger.record))
    return int(any('error' in row for row in ledger.record['rows'].values()))


def _in_a_process(args: argparse.Namespace, model: str, size: tuple[int, int],
                  counts: list[int]) -> Iterator[dict[str, Any]]:
    """Yield a row for each vocabulary as the child tells it; an error for what it left out."""
    words = [sys.executable, '-m', 'dev.speed.peers', '--runs', str(args.runs),
             *['--nano'] * args.nano, '--child', model, *map(str, size), ','.join(map(str, counts))]
    left = list(counts)
    with tempfile.TemporaryFile('w+') as errors, subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{'):
                row = json.loads(line)
                left.remove(row['names'])
                yield row
        code = process.wait()
        errors.seek(0)
        told = errors.read().strip()[-1500:] or f'the process ended with {code}'
    for count in left:
        yield dict(names=count, error=told)


def _onnxruntime() -> dict[str, str]:
    try:
        import onnxruntime
    except ImportError:
        return {}
    return dict(onnxruntime=onnxruntime.__version__)


if __name__ == '__main__':
    raise SystemExit(main())
