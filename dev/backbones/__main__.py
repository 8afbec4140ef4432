"""Try every backbone and neck that MMDetection registers under GLIP's fusion and head.

Each is built as its entry of the table says (:mod:`.entries`), trained for a step and run on an
image. One that is registered without an entry fails, too.

Example:
    python -m dev.backbones
    python -m dev.backbones ResNet HRFPN
    python -m dev.backbones --jobs 4 --out docs/backbones.md

Exit status: 0 if all do what the table says, 1 otherwise.
"""

import argparse
import multiprocessing
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from .entries import BACKBONES, NECKS


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.backbones', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='registered name of a backbone or neck; default: all')
    parser.add_argument('--out', type=Path, metavar='FILE',
                        help='page of the documents whose tables are made anew if all passed')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='processes')
    args = parser.parse_args(argv)
    unknown = sorted({*args.names} - {*BACKBONES, *NECKS})
    if unknown:
        parser.error(f"{', '.join(unknown)} not in dev/backbones/entries.py, which has "
                     f"{', '.join([*BACKBONES, *NECKS])}")
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

from glip_mm.atomic_files import write_atomically

from .page import with_tables


def registered() -> set[str]:
    """Return the names of all backbones and necks of MMDetection and of this package."""
    import mmdet.models  # noqa: F401  registers
    from mmdet.registry import MODELS as THEIRS

    import glip_mm.models  # noqa: F401  registers
    from glip_mm.registry import MODELS as OURS

    packages = ('mmdet.models.backbones', 'mmdet.models.necks', 'glip_mm.models.backbones')
    return {name for registry in (THEIRS, OURS) for name, kind in registry.module_dict.items()
            if kind.__module__.startswith(packages)}


def timed_attempt(name: str) -> tuple[str, str | None, float]:
    """Try an entry in a process of one thread; return name, what is wrong, and seconds."""
    import torch
    from mmengine.logging import MMLogger

    from .trial import attempt
    torch.set_num_threads(1)
    MMLogger.get_current_instance().setLevel('ERROR')  # the initialisation of every parameter
    start = time.time()
    return name, attempt(name), time.time() - start


def main(argv: Sequence[str] | None = None) -> int:
    """Try them; return the exit status."""
    args = parse_args(argv)
    page = with_tables(args.out.read_text(encoding='utf-8')) if args.out else None
    names = args.names or [*BACKBONES, *NECKS]
    missing = [] if args.names else sorted(registered() - {*names})
    for name in missing:
        print(f'{name:<28} has no entry in dev/backbones/entries.py')
    failed = len(missing)
    with ExitStack() as stack:
        attempts: Iterable[tuple[str, str | None, float]] = map(timed_attempt, names)
        if args.jobs > 1:
            pool = stack.enter_context(multiprocessing.get_context('spawn').Pool(args.jobs))
            attempts = pool.imap(timed_attempt, names)
        for name, wrong, seconds in attempts:
            entry = {**BACKBONES, **NECKS}[name]
            right = 'is refused, as the table says' if entry.refused else 'works'
            print(f'{name:<28} {seconds:5.1f} s  {wrong or right}', flush=True)
            failed += wrong is not None
    print(f'{len(names) - failed + len(missing)} of {len(names)} do what the table says')
    if page and not failed:
        write_atomically(args.out, page.encode())
    return int(failed > 0)


if __name__ == '__main__':
    raise SystemExit(main())
