"""A short run in which nothing grows, and leaks that are found."""

import json
import mmap
import os

import pytest

from dev.robustness.resources import BOUNDS, Course, growths
from tests import forked

MAIN = 'import sys; from dev.robustness.soak import main; sys.exit(main())'


def test_short_run(tmp_path):
    out = tmp_path / 'out'
    done = forked.run('-c', MAIN, '--iterations', 24, '--predictions', 60, '--workers', 1, '--out',
                      out)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record = json.loads((out / 'soak.json').read_text())
    assert record['flat'] and (out / 'soak.png').stat().st_size > 10_000
    training, predictions = record['courses'].values()
    assert training['steps'] == list(range(1, 25)) and predictions['steps'][-1] >= 60
    assert training['values']['memory of workers [MiB]'][-1] > 50
    assert max(predictions['values']['cached prompts']) > 20
    assert (out / 'soak.md').read_text().count('| yes |') == 2 * len(BOUNDS)


def leak(kind, kept, folder):
    if kind == 'memory [MiB]':
        # not from what the process has freed
        kept.append(mmap.mmap(-1, 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        kept[-1].write(b'1' * 2**20)
    elif kind == 'descriptors':
        kept.append(open(folder / 'file', 'w'))
    elif kind == 'cached prompts':
        kept.extend(range(8))


@pytest.mark.parametrize('kind', ['nothing', 'memory [MiB]', 'descriptors', 'cached prompts'])
def test_leaks_are_found(kind, tmp_path):
    course, kept = Course('steps'), []
    for step in range(60):
        leak(kind, kept, tmp_path)
        course.measure(step, len(kept) if kind == 'cached prompts' else 7)
    for file in kept:
        if kind == 'descriptors':
            file.close()
    assert [g.resource for g in growths(course) if not g.flat] == [
        k for k in BOUNDS if k == kind]


def test_peaks_and_a_warm_up_are_no_growth():
    course = Course('steps', list(range(90)))
    for values in course.values.values():
        # fills for 30 steps, and every tenth step needs more
        values += [min(i, 30) + 500 * (i % 10 == 0) for i in range(90)]
    assert all(g.flat and g.growth == 0 and g.begin == g.end == 30 for g in growths(course))
    memory = course.values['memory [MiB]']
    memory[:] = [value + i / 6 for i, value in enumerate(memory)]
    found = {g.resource: g.growth for g in growths(course) if not g.flat}
    assert found == {'memory [MiB]': pytest.approx(59 / 6)}


def test_processes_are_found():
    from dev.robustness.resources import count, family
    assert os.getpid() in family(os.getppid())
    with open(os.devnull):
        more = count(os.getpid(), 'fd')
    assert count(os.getpid(), 'fd') == more - 1 and count(2**22 + 1, 'task') == 0
