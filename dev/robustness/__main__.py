"""Attack what reads the data of users: damaged, hostile and oddly written inputs of every kind.

Each try is drawn from the seed, and says what is right: a value, or an error that names the file.
A process of its own carries it out, in a folder of its own and under a limit of time and memory.

    python -m dev.robustness --tries 1500 --seed 1
    python -m dev.robustness --kind odvg --seed 1 --only 17

Exit status: 0 if every try ended with the right value or a clear error, 1 otherwise.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from .kinds import NAMES


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.robustness', description=__doc__.split('\n')[0])
    parser.add_argument('--tries', type=int, default=1500, metavar='N',
                        help='of all kinds together (default: 1500)')
    parser.add_argument('--seed', type=int, default=0, help='of everything (default: 0)')
    parser.add_argument('--kind', nargs='+', choices=NAMES, default=list(NAMES), metavar='KIND',
                        help=f'kinds of tries: {", ".join(NAMES)} (default: all)')
    parser.add_argument('--only', nargs='+', type=int, metavar='I',
                        help='numbers of the tries of each kind')
    parser.add_argument('--out', type=Path, metavar='DIR', help='folder for results.json and for '
                        'the files of faulty tries (default: none are kept)')
    return parser.parse_args(argv)


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

from .kinds.loaded import KINDS
from .running import carry_out, import_all
from .tries import FAULTS, OUTCOMES
from .world import World


def tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def attack(kinds: Sequence[str], tries: int, seed: int, folder: Path,
           only: Sequence[int] | None = None, say: Callable[[str], None] = tell) -> list[dict]:
    """Carry out tries.

    Args:
        kinds: names of kinds.
        tries: number of all of them.
        seed: random seed of the tries.
        folder: folder for their files.
        only: numbers of the tries of each kind; default: all.
        say: function that is called with a line for each fault.

    Returns:
        Kind, number, words, outcome and reason of each try.
    """
    outside = folder / 'outside'
    outside.mkdir(parents=True, exist_ok=True)
    world = World.make(folder / 'world')
    for number, name in enumerate(('secret.png', 'secret.txt', 'secret.json')):
        if name.endswith('.png'):
            shutil.copy(world.folder / '3.png', outside / name)
        else:
            (outside / name).write_text('{"secret": 7}' if number == 2 else 'a secret dog')
    results = []
    for k, kind in enumerate(kinds):
        count = tries // len(kinds) + (k < tries % len(kinds))
        KINDS[kind].prepare(world)
        for number in range(count) if only is None else only:
            place = folder / kind / f'{number:05d}'
            what, outcome, reason = carry_out(
                KINDS[kind].make, random.Random(f'{seed} {kind} {number}'), place, outside, world)
            results.append(dict(kind=kind, number=number, what=what, outcome=outcome,
                                reason=reason, command=f'python -m dev.robustness --kind {kind} '
                                                       f'--seed {seed} --only {number}'))
            if outcome in FAULTS:
                say(f'{kind} {number}: {outcome}: {what}: {reason}')
            else:
                shutil.rmtree(place, ignore_errors=True)
    return results


def table(results: Sequence[dict]) -> str:
    """Format the numbers of outcomes as a table in Markdown."""
    lines = [f"| kind of try | tries | {' | '.join(OUTCOMES)} |",
             f"| --- | {' | '.join(['---:'] * (len(OUTCOMES) + 1))} |"]
    kinds = dict.fromkeys(result['kind'] for result in results)
    for kind, title in [*((kind, KINDS[kind].TITLE) for kind in kinds), (None, 'all')]:
        found = Counter(r['outcome'] for r in results if kind in (None, r['kind']))
        cells = [sum(found.values()), *(found[outcome] for outcome in OUTCOMES)]
        lines.append(f"| {title} | {' | '.join(map(str, cells))} |")
    return '\n'.join(lines)


def main() -> int:
    """Attack, and print the table."""
    args = parse_args()
    os.environ.update(OMP_NUM_THREADS='1', HF_HUB_OFFLINE='1')
    import_all()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='robustness-') as scratch:
        folder = (args.out or Path(scratch)).resolve()
        results = attack(args.kind, args.tries, args.seed, folder, args.only)
        if args.out:
            shutil.rmtree(folder / 'world')
            (folder / 'results.json').write_text(json.dumps(
                dict(seed=args.seed, results=results), indent=1))
    print(f'{table(results)}\n\n{len(results)} tries with seed {args.seed} in '
          f'{time.monotonic() - begin:.0f} s')
    faulty = [r for r in results if r['outcome'] in FAULTS]
    for one in faulty:
        print(f"{one['outcome']}: {one['command']}")
    return bool(faulty)


if __name__ == '__main__':
    sys.exit(main())
