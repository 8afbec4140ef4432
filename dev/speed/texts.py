"""What it costs to encode each text alone, as cached features are, and whether batches give them.

Class names one by one, and in batches of names with equally many tokens, which need no padding,
through a language model with random weights. Runs alternate. Alone is what the package does, since
a text's features then depend on nothing else; how many names a batch gives other bits is counted.

Example:
    OMP_NUM_THREADS=1 python -m dev.speed.texts --names 80 1203
"""

import argparse
from collections.abc import Sequence

from .arguments import positive

MODELS = {'nano': (2, 64), 'BERT-base': (12, 768)}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.texts', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--names', type=positive, nargs='+', default=[80, 1203],
                        help='numbers of names: the first of LVIS (default: 80 1203)')
    parser.add_argument('--model', nargs='+', choices=MODELS, default=list(MODELS))
    parser.add_argument('--batch', type=positive, default=64, help='names in a batch (default: 64)')
    parser.add_argument('--runs', type=positive, default=5, help='of each (default: 5)')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args(argv)


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

import statistics
import tempfile
import time
from itertools import groupby
from typing import Any

from glip_mm.compat import apply_all

apply_all()
import torch
from mmdet.evaluation import get_classes
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer

from glip_mm.models.language_models import BertLanguageModel
from glip_mm.text.language_model_files import resolve_language_model

from .benchmark_report import table


def language_model(name: str, device: str) -> BertLanguageModel:
    """Build a language model of a size of :data:`MODELS`, with random weights."""
    layers, width = MODELS[name]
    source = resolve_language_model('bert-base-uncased')
    config = AutoConfig.from_pretrained(
        source, num_hidden_layers=layers, hidden_size=width, num_attention_heads=width // 64 or 1,
        intermediate_size=4 * width)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)
        model = BertLanguageModel(folder, pretrained=False, max_tokens=256)
    return model.to(device).eval()


def batched(model: BertLanguageModel, names: Sequence[str], size: int) -> dict[str, Tensor]:
    """Encode names in batches of equally many tokens; return each one's features."""
    found: dict[str, Tensor] = {}
    tokens = dict(zip(names, model.count_tokens(names)))
    for _, group in groupby(sorted(names, key=tokens.__getitem__), tokens.__getitem__):
        same = list(group)
        for part in (same[i:i + size] for i in range(0, len(same), size)):
            found.update(zip(part, model(*model.tokenize(part)[:2]).hidden))
    return found


@torch.no_grad()
def measure(model: BertLanguageModel, names: Sequence[str], size: int, runs: int
            ) -> tuple[list[float], list[float], int, float]:
    """Time both ways.

    Returns:
        CPU seconds alone and batched, or seconds on a GPU; names with other bits in a batch; the
        largest difference of a feature.
    """
    clock = time.perf_counter if next(model.parameters()).is_cuda else time.process_time
    seconds: tuple[list[float], list[float]] = [], []
    for run in range(-1, runs):
        model.clear_cache()
        results: list[Any] = []
        for work in (lambda: list(model._remembered(names).values()),
                     lambda: batched(model, names, size)):
            start = clock()
            results.append(work())
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if run >= 0:
                seconds[len(results) - 1].append(clock() - start)
    alone, together = results
    pairs = [(a, together[name]) for a, name in zip(alone, names)]
    return (*seconds, sum(not torch.equal(a, b) for a, b in pairs),
            max((a - b).abs().max().item() for a, b in pairs))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = parse_args(argv)
    rows = [['model', 'names', 'alone [s]', 'a name [ms]', 'in batches [s]',
             'names with other bits', 'largest difference']]
    vocabulary = list(dict.fromkeys(get_classes('lvis')))
    for name in args.model:
        model = language_model(name, args.device)
        for count in args.names:
            alone, together, other, apart = measure(model, vocabulary[:count], args.batch,
                                                    args.runs)
            rows.append([name, str(min(count, len(vocabulary))), _spread(alone),
                         f'{statistics.median(alone) / count * 1e3:.2f}', _spread(together),
                         str(other), f'{apart:.1e}'])
    print(table(rows[0], rows[1:]))


def _spread(seconds: Sequence[float]) -> str:
    return f'{statistics.fmean(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f})'


if __name__ == '__main__':
    main()
