"""Options of the fine-tuning tools."""

import argparse
from collections.abc import Callable
from pathlib import Path

from .options import add_cfg_options
from .places import shared_root

#: Path of the descriptions of ODinW's data sets.
SETS = (shared_root() or Path()) / 'configs' / '_base_' / 'datasets' / 'odinw.json'


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all fine-tuning tools have."""
    parser.add_argument('--checkpoint', required=True, help='where to start: a file, an address, '
                        'or a model of the index such as glip_swin-t_o365-goldg')
    parser.add_argument('--config', help='config of the model (default: what the index or the '
                        'checkpoint itself says)')
    parser.add_argument('--tuning', default='full', help='what is trained (default: full)',
                        choices=['full', 'head', 'linear', 'language', 'prompt',
                                 'linear_language', 'linear_prompt', 'lora'])
    parser.add_argument('--shots', default='all', type=number_of_shots, metavar='N|all',
                        help='images of each class; 0 tests without training (default: all)')
    parser.add_argument('--seeds', '--seed', nargs='+', type=at_least(0), metavar='N',
                        help='of the few-shot subset and of the training; several make a table of '
                        'mean and deviation (default: 3)')
    parser.add_argument('--val', choices=['few', 'full'], help='images that choose the checkpoint '
                        'of a few-shot run: as few as are trained, or the whole val split '
                        '(default: full; few, as published, where ODinW has prepared files)')
    parser.add_argument('--keep-empty', action='store_true', help='keep training images without '
                        'boxes, as background (default: leave them out, as published)')
    parser.add_argument('--epochs', type=at_least(1), default=200, help='at most (default: 200)')
    parser.add_argument('--batch-size', type=at_least(1), default=4, help='default: 4')
    parser.add_argument('--workers', type=at_least(0), default=2, help='processes that read '
                        'images (default: 2)')
    parser.add_argument('--lr', type=positive, help="learning rate (default: the mode's published "
                        "one, or the base config's)")
    parser.add_argument('--copies', type=at_least(1), help='times an image comes in an epoch '
                        '(default: 8, 4, 2 and 1 for 1, 3, 5 and 10 shots)')
    parser.add_argument('--step-patience', type=at_least(0), metavar='N', help='evaluations '
                        'without progress before the learning rate falls (default: 3, of all '
                        'images 2)')
    parser.add_argument('--stop-patience', type=at_least(1), metavar='N', help='evaluations '
                        'without progress before training ends (default: 8, of all images 4)')
    parser.add_argument('--replay', metavar='CONFIG', help='mix the training data of this config '
                        'in, usually those of the pre-training: keeps what the model knew')
    parser.add_argument('--replay-share', type=float, default=0.5, metavar='SHARE',
                        help='of the images of an epoch that are replayed (default: 0.5)')
    parser.add_argument('--odinw-root', default='data/odinw', help='default: data/odinw')
    parser.add_argument('--sets', default=str(SETS), metavar='FILE.json',
                        help='descriptions of the sets of ODinW')
    parser.add_argument('--test-split', choices=['evaluated', 'test'], default='test',
                        help='of ODinW: test, or the one of published zero-shot results '
                        '(default: test)')
    parser.add_argument('--work-dir', help='default: work_dirs/finetune/DATA/TUNING_SHOTS')
    add_cfg_options(parser, 'settings of the written config')


def number_of_shots(text: str) -> int | None:
    """Parse a number of shots; None for all."""
    if text == 'all':
        return None
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a number or 'all', got '{text}'")
    return int(text)


def at_least(smallest: int) -> Callable[[str], int]:
    """Make a parser of integers from ``smallest`` on."""
    def read(text: str) -> int:
        if not text.isdigit() or int(text) < smallest:
            raise argparse.ArgumentTypeError(f"must be a whole number, at least {smallest}, got "
                                             f"'{text}'")
        return int(text)
    return read


def positive(text: str) -> float:
    """Parse a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got '{text}'")
    return value
