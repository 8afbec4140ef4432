"""Merge adapters (LoRA) into the weights that they belong to, giving a plain checkpoint.

The result loads with the config of the plain model (no ``model.tuning``) and computes the same up
to rounding. Neither peft nor the model is needed.

    python tools/misc/merge_lora.py work_dirs/run/best.pth merged.pth
    python tools/misc/merge_lora.py adapters.pth merged.pth --alpha 16
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.outputs import check_outputs


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('src', type=existing, help='checkpoint with adapters')
    parser.add_argument('dst', type=Path, help='file to write')
    parser.add_argument('--alpha', type=float,
                        help='model.tuning.alpha of the training (default: what the config inside '
                             'the checkpoint says)')
    parser.add_argument('--ema', action='store_true',
                        help='take the averaged weights; refused if the file has none')
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    return parser.parse_args(argv)


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    check_outputs(parse_args())

from glip_mm.checkpoints import (
    merge_adapters,
    normalise_state_dict,
    read_checkpoint,
    stored_config,
    write_checkpoint,
)
from glip_mm.models.tuning import Tuning


def stored_alpha(checkpoint: Mapping[str, Any]) -> float:
    """Read ``model.tuning.alpha`` from the config that a training stored in its checkpoint.

    Raises:
        ValueError: If there is no config, or its model has no adapters.
    """
    config = stored_config(checkpoint)
    if config is None:
        raise ValueError('the checkpoint holds no config that tells model.tuning.alpha: give '
                         '--alpha')
    model = config.get('model')
    tuning = model.get('tuning') if isinstance(model, Mapping) else None
    if not tuning or Tuning(tuning).name != 'lora':
        raise ValueError(f"the config in the checkpoint has model.tuning={tuning!r}, not 'lora': "
                         'give --alpha')
    return float(Tuning(tuning).options['alpha'])


def main(argv: Sequence[str] | None = None) -> int:
    """Merge; return the exit status."""
    args = parse_args(argv)
    if args.dst.exists() and not args.force:
        print(f"'{args.dst}' exists: give another name or --force", file=sys.stderr)
        return 1
    try:
        checkpoint = read_checkpoint(args.src)
        alpha = stored_alpha(checkpoint) if args.alpha is None else args.alpha
        state, _ = normalise_state_dict(checkpoint, args.ema)
        merged, layers = merge_adapters(state, alpha)
        write_checkpoint({'meta': {}, 'state_dict': merged}, args.dst)
    except (OSError, KeyError, TypeError, ValueError) as error:
        # a KeyError shows its message in quotes
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{args.src}: {text}', file=sys.stderr)
        return 1
    print(f'{args.dst}: adapters of {layers} layers merged with alpha {alpha:g}, '
          f'{len(merged)} entries')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
