"""Short kills of real jobs, and of jobs that do not go on where they were interrupted."""

import json
import random

import pytest

from tests import forked

MAIN = 'import sys; from dev.robustness.kills import main; sys.exit(main())'
#: Jobs with one fault each, by what the harness must find.
FAULTY = dict(
    # what was written before is written again
    different="""import os, sys
os.makedirs(sys.argv[1], exist_ok=True)
for i in range(20):
    with open(f'{sys.argv[1]}/rows', 'a') as file:
        print(i, file=file)
""",
    # a half written file stays under its temporary name
    left="""import os, sys
name = f'{sys.argv[1]}/.rows.{os.getpid()}.tmp'
os.makedirs(sys.argv[1], exist_ok=True)
open(name, 'w').close()
for i in range(20):
    os.makedirs(f'{sys.argv[1]}/{i}', exist_ok=True)
os.rename(name, f'{sys.argv[1]}/rows')
""",
    # it refuses the folder that it began itself
    dead_end="""import os, sys
os.mkdir(sys.argv[1])
for i in range(20):
    os.mkdir(f'{sys.argv[1]}/{i}')
""",
    # Ctrl-C ends it with a traceback
    fault="""import os, sys
for i in range(20):
    os.makedirs(f'{sys.argv[1]}/{i}', exist_ok=True)
""")
FIND = """import json, sys
from argparse import Namespace
from pathlib import Path
from dev.robustness import kills
from dev.robustness.jobs import JOBS, Job
code, out, signal = sys.argv[1:]
kills.draw = lambda rng, reference: kills.Kill(signal or 'SIGKILL', change=rng.randint(2, 20))
(Path(out) / 'inputs').mkdir()
JOBS['convert'] = Job(lambda folder: ['-c', code, folder], '')
job = kills.test_job('convert', Namespace(out=Path(out), seed=0, real=0), 2, print)
json.dump(job, open(f'{out}/found.json', 'w'))
sys.exit(not kills.passed(dict(convert=job)))
"""


def test_short_run(tmp_path):
    words = ('--job', 'convert', 'index', '--kills', '4', '--real', '0', '--seed', '3', '--out',
             tmp_path / 'out')
    done = forked.run('-c', MAIN, *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record = json.loads((tmp_path / 'out/kills.json').read_text())
    assert record['passed'] and record['seed'] == 3 and list(record['jobs']) == [
        'convert', 'index']
    for job in record['jobs'].values():
        assert job['values'] > 5 and all(t['equal'] for t in job['trials'])
        assert sum(r['killed'] for t in job['trials'] for r in t['runs']) >= 2
    assert '| convert | 2 |' in (tmp_path / 'out/kills.md').read_text()


@pytest.mark.parametrize('found', FAULTY)
def test_faults_are_found(found, tmp_path):
    done = forked.run('-c', FIND, FAULTY[found], tmp_path, 'SIGINT' if found == 'fault' else '')
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    trials = json.loads((tmp_path / 'found.json').read_text())['trials']
    one = trials[0]
    assert one['done'] == (found != 'dead_end')
    assert bool(one['left']) == (found == 'left')
    assert one['equal'] == (found in ('left', 'fault'))
    assert bool(one['runs'][0]['fault']) == (found == 'fault')


def test_moments_are_those_of_the_seed():
    from dev.robustness.kills import draw
    from dev.robustness.watched import Outcome
    reference = Outcome(0, False, 40, 0, 2., '', 0)
    drawn = [[draw(random.Random(seed), reference) for _ in range(9)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    kills = [draw(rng, reference) for rng in [random.Random(0)] for _ in range(300)]
    assert {k.signal for k in kills} == {'SIGKILL', 'SIGTERM', 'SIGINT'}
    assert all(1 <= k.change <= 40 or not k.change and 0 <= k.seconds <= 2 for k in kills)
