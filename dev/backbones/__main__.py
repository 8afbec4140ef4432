"""Try every backbone and neck that MMDetection registers under GLIP's fusion and head.

Each is built as its entry of the table says (:mod:`.entries`), trained for a step and run on an
image. One that is registered without an entry fails, too. Entries of other packages are tried where
those can be imported. What did what its entry says is remembered, so that the same command goes on
after an interruption; delete the file of --kept after changes of the models.

Example:
    python -m dev.backbones
    python -m dev.backbones ResNet HRFPN
    python -m dev.backbones --jobs 4 --out docs/backbones.md

Exit status: 0 if all do what the table says, 1 otherwise.
"""

import argparse
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

from .entries import ENTRIES, NOT_THERE


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.backbones', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='registered name of a backbone or neck; default: all')
    parser.add_argument('--out', type=Path, metavar='FILE', help='page of the documents whose '
                        'tables are made anew once all entries have passed')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='processes')
    parser.add_argument('--limit', type=float, default=600, metavar='SECONDS',
                        help='time of an entry (default: 600)')
    parser.add_argument('--kept', type=Path, default=Path('work_dirs/backbones.jsonl'),
                        metavar='FILE', help='what passed (default: %(default)s)')
    args = parser.parse_args(argv)
    unknown = sorted({*args.names} - {*ENTRIES})
    if unknown:
        parser.error(f"{', '.join(unknown)} not in dev/backbones/entries.py, which has "
                     f"{', '.join(ENTRIES)}")
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


def attempts(names: Sequence[str], jobs: int, limit: float
             ) -> Iterator[tuple[str, str | None, float]]:
    """Try entries in processes, of which one that takes too long is ended.

    Args:
        names: Names of entries.
        jobs: Number of processes.
        limit: Seconds that an entry may take.

    Yields:
        Name, what is wrong with it, and seconds, in the order of the names.
    """
    from .trial import timed_attempt  # of a module that processes can import, unlike this one
    waiting = list(names)
    while waiting:
        with multiprocessing.get_context('spawn').Pool(jobs) as pool:
            results = pool.imap(timed_attempt, list(waiting))
            for name in list(waiting):
                waiting.pop(0)
                try:
                    yield name, *results.next(limit)
                except multiprocessing.TimeoutError:
                    yield name, f'not done after {limit:g} s', limit
                    break  # leaving the pool ends its processes


def kept_key(name: str) -> list[str]:
    """Return what a result is remembered for: the entry, and the versions that matter."""
    import mmdet
    import torch
    return [name, repr(ENTRIES[name]), mmdet.__version__, torch.__version__]


def main(argv: Sequence[str] | None = None) -> int:
    """Try them; return the exit status."""
    args = parse_args(argv)
    page = with_tables(args.out.read_text(encoding='utf-8')) if args.out else None
    names = args.names or [*ENTRIES]
    kept = [json.loads(line) for line in args.kept.read_text('utf-8').splitlines()
            ] if args.kept.is_file() else []
    passed = {name for name in ENTRIES if kept_key(name) in kept}
    missing = [] if args.names else sorted(registered() - {*names})
    for name in missing:
        print(f'{name:<28} has no entry in dev/backbones/entries.py')
    failed, untried = len(missing), 0
    args.kept.parent.mkdir(parents=True, exist_ok=True)
    with open(args.kept, 'a', encoding='utf-8') as file:
        for name, wrong, seconds in attempts(
                [name for name in names if name not in passed], args.jobs, args.limit):
            right = 'is refused, as the table says' if ENTRIES[name].refused else 'works'
            print(f'{name:<28} {seconds:5.1f} s  {wrong or right}', flush=True)
            if wrong is None:
                passed.add(name)
                file.write(json.dumps(kept_key(name)) + '\n')
                file.flush()
            elif wrong.startswith(NOT_THERE):
                untried += 1
            else:
                failed += 1
    done = [name for name in names if name in passed]
    print(f'{len(done)} of {len(names)} do what the table says'
          + (f', {untried} not tried' if untried else ''))
    if page and not failed and passed == {*ENTRIES}:
        write_atomically(args.out, page.encode())
    return int(failed > 0)


if __name__ == '__main__':
    raise SystemExit(main())
