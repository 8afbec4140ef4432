"""Kill every kind of job at random moments, start it again, and compare what it leaves, bit by bit.

Each job runs once undisturbed. Then it is killed, mostly by SIGKILL, before a random change of the
file system or after a random time, and started again with the same command until it ends; its
process group dies as a whole. Ctrl-C (SIGINT) must end it with one line and status 130. Jobs are
forked from this process, which has imported everything; some kills hit the command line itself.
The exit status is 1 unless all results equal the undisturbed ones.

Example:
    python -m dev.robustness.kills --kills 120 --out work_dirs/kills
    python -m dev.robustness.kills --job train --kills 20 --seed 1 --out work_dirs/kills_train
"""

import argparse
import importlib
import json
import random
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: What the jobs import; forked from this process they need no time for it.
IMPORTED = ['mmdet.apis', 'glip_mm.apis.launch', 'glip_mm.apis.testing', 'glip_mm.pseudo_labels',
            'glip_mm.finetuning.run', 'glip_mm.datasets.converters', 'textblob',
            'transformers.models.bert.modeling_bert']
NAMES = ('train', 'test', 'label', 'convert', 'finetune', 'index')
#: Share of each signal; the rest is SIGKILL.
POLITE = dict(SIGTERM=0.1, SIGINT=0.1)
MOST_KILLS, MOST_STARTS = 4, 3
COLUMNS = ('job', 'kills', 'restarts', 'equal bitwise', 'images read again', 'a kill loses at most',
           'temporary files left', 'dead ends', 'faults')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.robustness.kills', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--job', choices=[*NAMES, 'all'], nargs='+', default=['all'])
    parser.add_argument('--kills', type=int, default=120, help='of all jobs together, at least')
    parser.add_argument('--real', type=int, default=1,
                        help='how many of them, of each job, hit the command line itself')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    args = parser.parse_args(argv)
    if args.out.exists() and any(args.out.iterdir()):
        parser.error(f"--out '{args.out}' is not empty")
    args.job = list(NAMES) if 'all' in args.job else args.job
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

from dev.robustness.watched import Kill, Outcome, run
from dev.speed.benchmark_report import machine, versions


def draw(rng: random.Random, reference: Outcome) -> Kill:
    """Draw the moment of a kill: two of three before a change of the file system."""
    name, = rng.choices([*POLITE, 'SIGKILL'], [*POLITE.values(), 1 - sum(POLITE.values())])
    if rng.random() < 2 / 3:
        return Kill(name, change=rng.randint(1, reference.changes))
    return Kill(name, seconds=rng.uniform(0, reference.seconds))


def fault_of(kill: Kill, outcome: Outcome) -> str:
    """Return what is wrong with how a killed run ended; empty if nothing is."""
    if outcome.survivors:
        return f'{outcome.survivors} processes outlived it'
    # before the first line of a tool the interpreter itself ends
    begun = '_get_code_from_file' not in outcome.said
    if (outcome.killed and kill.signal == 'SIGINT' and not kill.real and outcome.status != 0
            and begun):
        said = [line for line in outcome.said.splitlines() if 'interrupted' in line]
        if outcome.status != 130 or len(said) != 1 or 'Traceback' in outcome.said:
            return f'Ctrl-C ended it with {outcome.status}: {outcome.said[-300:]!r}'
    return ''


def trial(words: Sequence, inputs: Path, folder: Path, kills: Sequence[Kill],
          wanted: dict[str, str]) -> dict[str, Any]:
    """Kill a job some times, let it end, and compare.

    Args:
        words: Its command.
        inputs: Folder to run in.
        folder: Folder of its results.
        kills: Moments of the kills, the first one for the first run.
        wanted: Contents of the undisturbed run.
    """
    from dev.robustness.contents import contents, left_over
    runs: list[dict[str, Any]] = []
    starts, done, todo = 0, False, iter(kills)
    while not done and starts < MOST_STARTS:
        kill = next(todo, None)
        outcome = run(words, inputs, folder.parent / f'{folder.name}.said', kill)
        killed = kill is not None and outcome.killed and outcome.status != 0
        done = outcome.status == 0
        starts += not killed
        runs.append(dict(kill=kill._asdict() if kill else None, killed=killed,
                         status=outcome.status, read=outcome.read,
                         fault=fault_of(kill, outcome) if kill else '',
                         said='' if killed or done else outcome.said[-2000:]))
    found = contents(folder) if done else {}
    different = sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k))
    return dict(runs=runs, done=done, equal=done and not different, different=different[:20],
                left=left_over(folder))


def test_job(name: str, args: argparse.Namespace, kills: int,
             say: Callable[[str], None]) -> dict[str, Any]:
    """Run a job undisturbed, and then kill it."""
    from dev.robustness.contents import contents
    from dev.robustness.jobs import JOBS
    job, inputs, folder = JOBS[name], args.out / 'inputs', args.out / name
    rng = random.Random(f'{args.seed} {name}')
    reference = run(job.words(folder / 'whole'), inputs, folder / 'whole.said')
    if reference.status != 0:
        sys.exit(f'error: {name} failed undisturbed: {reference.said[-2000:]}')
    wanted = contents(folder / 'whole')
    trials: list[dict[str, Any]] = []
    made, real = 0, args.real
    while made < kills and len(trials) < 3 * kills:
        planned = [draw(rng, reference) for _ in range(min(rng.randint(1, MOST_KILLS),
                                                           kills - made))]
        if real:
            planned[0] = Kill(seconds=rng.uniform(1, 8 + reference.seconds), real=True)
            real -= 1
        one = trial(job.words(folder / str(len(trials))), inputs, folder / str(len(trials)),
                    planned, wanted)
        made += sum(r['killed'] for r in one['runs'])
        trials.append(one)
        if one['equal'] and not one['left']:
            shutil.rmtree(folder / str(len(trials) - 1))
        say(f"{name}: {made} of {kills} kills, {sum(t['equal'] for t in trials)} of {len(trials)} "
            'equal')
    return dict(values=len(wanted), changes=reference.changes, seconds=reference.seconds,
                read=reference.read, loses=job.loses, trials=trials)


def row_of(name: str, job: dict[str, Any]) -> list[Any]:
    """Return a job's row of the table."""
    trials = job['trials']
    runs = [r for t in trials for r in t['runs']]
    kills = sum(r['killed'] for r in runs)
    again = sum(r['read'] for r in runs) - job['read'] * len(trials)
    return [name, kills, len(runs) - len(trials),
            f"{sum(t['equal'] for t in trials)} of {len(trials)}",
            f"{again / max(kills, 1):.1f} a kill (whole job {job['read']})", job['loses'],
            sum(len(t['left']) for t in trials), sum(not t['done'] for t in trials),
            sum(bool(r['fault']) for r in runs)]


def table(jobs: dict[str, Any]) -> str:
    """Return the table in Markdown."""
    rows = [list(COLUMNS), ['---'] * len(COLUMNS),
            *(row_of(name, job) for name, job in jobs.items())]
    return '\n'.join(f"| {' | '.join(map(str, row))} |" for row in rows)


def passed(jobs: dict[str, Any]) -> bool:
    """Return whether every result was equal, and nothing was left, stuck or said wrongly."""
    return all(t['equal'] and not t['left'] and not any(r['fault'] for r in t['runs'])
               for job in jobs.values() for t in job['trials'])


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, compare, report; return 1 if anything was not as promised."""
    args = parse_args(argv)
    args.out = args.out.resolve()
    for module in IMPORTED:
        importlib.import_module(module)
    from dev.robustness.jobs import write_inputs
    write_inputs(args.out / 'inputs')
    jobs: dict[str, Any] = {}
    record = dict(command=' '.join(['python -m dev.robustness.kills', *map(
        shlex.quote, sys.argv[1:] if argv is None else argv)]), seed=args.seed,
        machine=machine('cpu'), versions=versions(), jobs=jobs)
    for name in args.job:
        jobs[name] = test_job(name, args, -(-args.kills // len(args.job)),
                              lambda text: print(text, flush=True))
        record['passed'] = passed(jobs)
        (args.out / 'kills.json').write_text(json.dumps(record, indent=1))
        (args.out / 'kills.md').write_text(table(jobs) + '\n')
    print(table(jobs))
    for name, job in jobs.items():
        for number, one in enumerate(job['trials']):
            faults = [r['fault'] for r in one['runs'] if r['fault']]
            if not one['equal'] or one['left'] or faults:
                print(f"{name} {number}: different {one['different'][:5]}, left {one['left']}, "
                      f"faults {faults}, {[r['said'][-500:] for r in one['runs'] if r['said']]}")
    return 0 if record['passed'] else 1


if __name__ == '__main__':
    sys.exit(main())
