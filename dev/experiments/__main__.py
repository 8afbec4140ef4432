"""Small-scale ablation of GLIP: train and test variants with several seeds, and compare them.

Every run goes through tools/train.py and tools/test.py in a folder of its own,
WORK_DIR/VARIANT/seedN. Started again, the tool resumes where it stopped.

Example:
    python tools/misc/make_grounding_world.py --out data/grounding_world
    python -m dev.experiments
    python -m dev.experiments --variants B C --seeds 0 1 2 3 4
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .options import ROOT, add_cfg_options, add_experiment_options

CONFIGS = ROOT / 'configs' / 'experiments'
VARIANTS = dict(
    A=str(CONFIGS / 'glip_nano-a_detection.py'), B=str(CONFIGS / 'glip_nano-b_detection.py'),
    C=str(CONFIGS / 'glip_nano-c_detection-grounding.py'))


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.experiments', description=__doc__.splitlines()[0])
    parser.add_argument('--variants', nargs='+', default=list(VARIANTS), metavar='NAME[=CONFIG]',
                        help='A: detection without fusion; B: detection with fusion; C: detection '
                        'and grounding; or configs of your own (default: A B C)')
    add_experiment_options(parser, 'work_dirs/ablation', seeds=(0, 1, 2))
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from .ablation_report import report
from .experiment import run_experiment
from .runs import Run


def parse_variants(texts: Sequence[str]) -> dict[str, str]:
    """Parse variants to configs by name.

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


def main() -> None:
    """Run the missing runs and report."""
    args = make_parser().parse_args()
    work_dir = Path(args.work_dir)
    try:
        variants = parse_variants(args.variants)
    except ValueError as error:
        sys.exit(f'error: {error}')

    def make_runs() -> list[Run]:
        # seed by seed: if stopped early, all variants have the same number of seeds
        return [Run(work_dir / name / f'seed{seed}', name, config, seed, args.cfg_options,
                    args.jobs)
                for seed in args.seeds for name, config in variants.items()]
    run_experiment(args, make_runs, partial(report, work_dir, list(variants)))


if __name__ == '__main__':
    main()
