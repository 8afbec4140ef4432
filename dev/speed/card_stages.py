"""What ``dev/measure_gpu.sh`` measures: stages, each a few measurements by title."""

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from .cases import Case
from .ceilings import measure_ceilings
from .kernels import compare_kernels
from .paths import comparable, gains
from .session import Session, Settings
from .sides import ROOT, check_port

#: Paths whose gain a GPU decides; the others are a CPU's.
PATHS_ON_GPU = ('fusion', 'window_attention')


class Bench:
    """What stages share: models are built when they are first asked for, one at a time.

    Args:
        device: ``'cuda'`` or ``'cpu'``.
        dtype: Precision of both sides, by autocast.
        tiny: Whether sizes are those of the tests.

    Attributes:
        works: Work that is traced, and done without each fast path.
        alone: Why MMDetection's port is not measured beside ours; empty if it is.
    """

    def __init__(self, device: str, dtype: str, tiny: bool) -> None:
        self.device, self.dtype, self.tiny = device, dtype, tiny
        self.size = (64, 96) if tiny else (800, 1333)
        self.works = ('names3',) if tiny else ('coco80', 'train')
        try:
            check_port()
            self.alone = ''
        except ImportError as error:
            self.alone = str(error)
        self._session: Session | None = None
        self._ceilings: dict[str, float] = {}

    def session(self, model: str = 'glip_t_b') -> Session:
        """Return the models of one architecture."""
        if self._session is None or self._session.model != model:
            self._session = None  # two of them need not fit
            self._session = Session(model, Settings(
                *((1, 0) if self.tiny else (3, 1)), self.device, self.dtype, self.tiny,
                ours_only=bool(self.alone), check_dtype='float32', memory_here=True,
                skip=('stages', *['costs'] * self.tiny)))
        return self._session

    def ceilings(self) -> dict[str, float]:
        """Return the speeds of a large matrix product and copy, measured once a process."""
        if not self._ceilings:
            self._ceilings = measure_ceilings(self.device, self.dtype,
                                              *((.02, 64) if self.tiny else (.5,)))
        return self._ceilings

    def case(self, work: str, batch: int = 1) -> Case:
        """Return a case at the size of this run."""
        names, tokens = (45, 32) if self.tiny else (1203, 256)
        return Case(work, batch, self.size, names, tokens)


Measurements = dict[str, Callable[[], dict[str, Any]]]


class Stage(NamedTuple):
    """Measurements that share a budget, in seconds at full size; what is left of it goes on."""

    budget: float
    measurements: Callable[[Bench], Measurements]


def ceilings(bench: Bench) -> Measurements:
    """Measure what the card can do."""
    return dict(ceilings=bench.ceilings)


def compared(*wanted: tuple[str, str, int]) -> Callable[[Bench], Measurements]:
    """Measure (model, work, batch) on both sides: seconds, ratio, memory, share of the roofline."""
    def measurements(bench: Bench) -> Measurements:
        cases = [(model, bench.case(work, min(batch, 2) if bench.tiny else batch))
                 for model, work, batch in (wanted[-1:] if bench.tiny else wanted)]
        return {f'{model}, {case.title()}': partial(_compare, bench, model, case)
                for model, case in cases}
    return measurements


def _compare(bench: Bench, model: str, case: Case) -> dict[str, Any]:
    found = bench.session(model).measure(case, bench.ceilings())
    return dict(found, alone=bench.alone) if bench.alone else found


def paths(bench: Bench) -> Measurements:
    """Measure what fast paths gain."""
    names = PATHS_ON_GPU if bench.device.startswith('cuda') else comparable()
    return {work: lambda work=work: gains(bench.session(), bench.case(work),
                                          1 if bench.tiny else 3, names)
            for work in bench.works}


def trace(bench: Bench) -> Measurements:
    """Find the kernels that take the time, and how long the card waits."""
    return {work: partial(_trace, bench, bench.case(work)) for work in bench.works}


def _trace(bench: Bench, case: Case, shown: int = 12) -> dict[str, Any]:
    runner = bench.session().runner('ours', case)
    cuda = bench.device.startswith('cuda')
    runner.prepare()
    runner()
    runner.prepare()
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda]) as traced:
        start = time.perf_counter()
        runner()
        runner.synchronize()
        wall = time.perf_counter() - start
    runner.forget()
    events = [(e.key, (e.self_device_time_total if cuda else e.self_cpu_time_total) / 1e6, e.count)
              for e in traced.key_averages() if not cuda or e.device_type == DeviceType.CUDA]
    events.sort(key=lambda event: -event[1])
    return dict(wall=wall, busy=sum(e[1] for e in events), calls=sum(e[2] for e in events),
                most=[dict(name=name[:80], seconds=seconds, calls=calls)
                      for name, seconds, calls in events[:shown]])


def tests(bench: Bench) -> Measurements:
    """Run the tests that are marked ``gpu``, in a process of their own."""
    return {'marked gpu': partial(_tests, bench)}


def _tests(bench: Bench) -> dict[str, Any]:
    files = sorted(str(path) for path in (ROOT / 'tests').rglob('test_*.py')
                   if '@pytest.mark.gpu' in path.read_text(encoding='utf-8'))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'tests.xml'
        done = subprocess.run(
            [sys.executable, '-m', 'pytest', '-q', '-m', 'gpu', '-p', 'no:cacheprovider',
             f'--junitxml={report}', *files[:1 if bench.tiny else None]],
            cwd=ROOT, capture_output=True, text=True)
        if not report.exists():
            raise RuntimeError(f'pytest ended with {done.returncode}: '
                               f'{(done.stdout + done.stderr)[-1500:]}')
        suite = next(ET.parse(report).iter('testsuite'))
        counts = {key: int(suite.get(key, 0)) for key in ('tests', 'failures', 'errors', 'skipped')}
        bad = [f"{case.get('classname')}.{case.get('name')}" for case in suite.iter('testcase')
               if case.find('failure') is not None or case.find('error') is not None]
    return dict(counts, failed=bad)


def kernels(bench: Bench) -> Measurements:
    """Compare the Triton kernels with the plain formula."""
    # Triton's interpreter, which a CPU needs, cannot multiply bfloat16
    dtypes = ('float32', 'bfloat16' if bench.device.startswith('cuda') else 'float16')
    size = (2, 3) if bench.tiny else (100, 167)
    return {f'{dtype}, stride {stride}': partial(
        compare_kernels, bench.device, dtype, stride, size, 16 if bench.tiny else 256,
        1 if bench.tiny else 6) for dtype in dtypes for stride in (1, 2)}


#: In this order: what decides most comes first, and what may leave the card unusable last.
STAGES = dict(
    ceilings=Stage(10, ceilings),
    tests=Stage(70, tests),
    prediction=Stage(80, compared(('glip_t_b', 'coco80', 1), ('glip_t_b', 'names3', 1))),
    training=Stage(60, compared(('glip_t_b', 'train', 1))),
    lvis=Stage(60, compared(('glip_t_b', 'lvis1203', 1))),
    batches=Stage(50, compared(('glip_t_b', 'coco80', 8), ('glip_t_b', 'coco80', 32))),
    trace=Stage(20, trace),
    paths=Stage(20, paths),
    without_fusion=Stage(30, compared(('glip_t_a', 'coco80', 1))),
    kernels=Stage(60, kernels),
)
