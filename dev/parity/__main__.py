"""Run reference cases through our model and compare every stage.

Cases are in the golden format (see tests/data/golden/README.md): ``DIR/<case>.json`` and ``.npz``
beside a ``keys.json``, images in ``DIR/../images``. Weights are regenerated from the rule in
``DIR/../seeded_weights.py`` and loaded through the checkpoint converter; architecture and sizes
come from ``keys.json``.

    python -m dev.parity golden/glip_t/infer_ab_short
    python -m dev.parity golden/glip_a golden/glip_t

Exit status: 0 if everything is within tolerance, 1 otherwise.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.parity', description=__doc__.split('\n')[0])
    parser.add_argument('cases', nargs='+', metavar='CASE',
                        help='a case, or a folder with keys.json for all its cases')
    parser.add_argument('--weights-rule', type=Path,
                        help='file with seeded_tensor(key, shape); default: seeded_weights.py '
                        "beside the case's folder")
    parser.add_argument('--no-gradients', action='store_true',
                        help='skip the gradients of training cases, which take longest')
    parser.add_argument('--misses-only', action='store_true', help='print failed stages only')
    return parser.parse_args(argv)


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

from mmengine.registry import init_default_scope

from .architecture import build_model, load_keys, seeded_weights
from .golden import GoldenCase, find_cases
from .inference import check_inference
from .table import Row, format_table
from .training import check_training


def check_folder(cases: Sequence[GoldenCase], rule: Path | None,
                 gradients: bool) -> 'list[tuple[GoldenCase, float, list[Row]]]':
    """Check cases of one model folder with as few models as possible.

    Args:
        cases: Cases of one folder that all need the masked-language head, or none of them.
        rule: File with the rule of the weights.
        gradients: Whether to compare gradients.

    Returns:
        Seconds and rows of each case.
    """
    folder = cases[0].path.parent
    keys = load_keys(folder)
    state, weights_row = seeded_weights(keys, rule or folder.parent / 'seeded_weights.py',
                                        'mlm_labels' in cases[0].arrays)
    model, _ = build_model(keys, state)
    del state
    results = []
    for case in cases:
        start = time.time()
        rows = [weights_row]
        rows += (check_training(case, model, gradients) if case.is_training
                 else check_inference(case, model))
        results.append((case, time.time() - start, rows))
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Check all cases; return the exit status."""
    args = parse_args(argv)
    init_default_scope('glip_mm')
    misses = 0
    for _, group in groupby(find_cases(args.cases),
                            lambda c: (c.path.parent, 'mlm_labels' in c.arrays)):
        for case, seconds, rows in check_folder(list(group), args.weights_rule,
                                                not args.no_gradients):
            failed = [r for r in rows if not r.passed]
            misses += len(failed)
            shown = failed if args.misses_only else rows
            print(f'\n{case.name}: {len(rows) - len(failed)} of {len(rows)} stages within '
                  f'tolerance, {seconds:.0f} s')
            if shown:
                print(format_table(shown), flush=True)
    print(f'\n{"parity holds" if not misses else f"{misses} stages miss their tolerance"}')
    return int(misses > 0)


if __name__ == '__main__':
    raise SystemExit(main())
