"""Everything that is measured of one model, case by case."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.structures import DetDataSample

from .agreement import check, loosest
from .cases import CHUNK, Case, vocabulary
from .ceilings import count_costs
from .memory import peak_of
from .running import Runner
from .sides import (
    ROOT,
    build_ours,
    build_theirs,
    copy_weights,
    language_folder,
    our_config,
)
from .stages import parts_of_ours, parts_of_theirs, split, synchronizer
from .timing import Took, interleave, ratios, seconds_of, summarize
from .weights import calibrate

#: Names of a long vocabulary that are enough for its memory, stages and FLOPs: four prompts.
PROBED = 4 * CHUNK
#: Names of a long vocabulary that are compared before it is timed: two prompts.
CHECKED = 2 * CHUNK
EXTRAS = ('stages', 'costs', 'memory')


class Settings(NamedTuple):
    """How to measure.

    Attributes:
        runs: Timed runs of each side.
        warmup: Runs before them.
        device: ``'cpu'`` or ``'cuda'``.
        dtype: Of autocast, or float32.
        nano: The size for tests.
        ours_only: Without MMDetection's model.
        checkpointing: Training recomputes the fusion in the backward pass.
        cold_text: Encode prompts anew in every run.
        skip: Of ``EXTRAS``, what not to measure.
        their_dtype: ``dtype`` of MMDetection's model; default: as ours.
    """

    runs: int = 5
    warmup: int = 1
    device: str = 'cpu'
    dtype: str = 'float32'
    nano: bool = False
    ours_only: bool = False
    checkpointing: bool = True
    cold_text: bool = False
    skip: Sequence[str] = ()
    their_dtype: str | None = None

    def dtype_of(self, side: str) -> str:
        """Precision of one side."""
        return self.their_dtype or self.dtype if side == 'theirs' else self.dtype


class Session:
    """One architecture, both sides.

    Args:
        model: Key of ``CONFIGS``.
        settings: How to measure.
        only: Keep one side alone, for its memory.

    Raises:
        ImportError: If MMDetection's port cannot be used.
    """

    def __init__(self, model: str, settings: Settings, only: str | None = None) -> None:
        self.model, self.settings = model, settings
        with tempfile.TemporaryDirectory() as folder:
            language = language_folder(Path(folder), settings.nano)
            kwargs = dict(checkpointing=settings.checkpointing)
            self.ours = build_ours(model, language, nano=settings.nano, **kwargs)
            self.sides = {} if only == 'theirs' else dict(ours=self.ours)
            if not settings.ours_only and only != 'ours':
                config = our_config(model, language, nano=settings.nano, **kwargs)
                self.sides['theirs'] = build_theirs(self.ours, config, language, **kwargs)
        for side in self.sides.values():
            side.to(settings.device)
        self.count_tokens = self.ours.language_model.count_tokens

    def set_bias(self, bias: float) -> None:
        """The same prior in both models."""
        self.ours.bbox_head.bias0.data.fill_(bias)
        if 'theirs' in self.sides:
            copy_weights(self.ours, self.sides['theirs'])

    def choose_bias(self, case: Case) -> float:
        """The prior with which a case finds as much as a photograph would."""
        if case.training:
            return -4.5
        runner = self.runner('ours', case._replace(batch=1, names=CHUNK))
        names = vocabulary(case)[:case.chunked_size] if case.chunked_size > 0 else vocabulary(case)
        sample = DetDataSample(metainfo=dict(text=tuple(names), img_shape=case.size))
        data = self.ours.data_preprocessor(
            dict(inputs=runner.images, data_samples=[sample]), False)
        return calibrate(self.ours, data['inputs'], data['data_samples'])

    def runner(self, side: str, case: Case) -> Runner:
        """What runs one side."""
        return Runner(self.sides[side], case, self.count_tokens, self.settings.device,
                      self.settings.dtype_of(side), cold_text=self.settings.cold_text,
                      inclusive_boxes=side == 'theirs',
                      one_at_a_time=side == 'theirs' and case.chunked_size > 0)

    def measure(self, case: Case, ceilings: dict[str, float],
                tick: Callable[[str], None] = lambda what: None) -> dict[str, Any]:
        """Everything about one case.

        Args:
            case: What to run.
            ceilings: Of the machine.
            tick: Called with what was finished.

        Returns:
            The record; see ``report.py``.

        Raises:
            Disagreement: If the two models do not compute the same.
        """
        settings = self.settings
        bias = self.choose_bias(case)
        self.set_bias(bias)
        probe = case._replace(names=min(case.names, PROBED))
        record: dict[str, Any] = dict(
            model=self.model, work=case.work, title=case.title(), batch=case.batch,
            size=list(case.size), bias=bias,
            profiled=(probe if case.work == 'lvis1203' else case).title(), sides={})
        if 'theirs' in self.sides:
            small = case._replace(names=min(case.names, CHECKED))
            record['agreement'] = check(self.runner('ours', small), self.runner('theirs', small),
                                        loosest(settings.dtype, settings.dtype_of('theirs')))
            tick('agreement')
        runners = {side: self.runner(side, case) for side in self.sides}
        times = interleave(runners, settings.runs, settings.warmup, lambda: tick('run'))
        for side, took in times.items():
            runners[side].forget()
            record['sides'][side] = dict(seconds=summarize([t.wall for t in took]),
                                         cpu_seconds=summarize([t.cpu for t in took]))
        for side in self.sides:
            self._profile(side, probe, ceilings, record['sides'][side], tick)
        if 'memory' not in settings.skip:
            for side in self.sides:
                record['sides'][side]['memory'] = self._memory(side, probe, bias)
                tick('memory')
        if len(self.sides) == 2:
            record['ratio'] = _ratios(times, record['sides'])
        return record

    def _profile(self, side: str, case: Case, ceilings: dict[str, float],
                 record: dict[str, Any], tick: Callable[[str], None]) -> None:
        runner = self.runner(side, case)
        parts = (parts_of_ours if side == 'ours' else parts_of_theirs)(self.sides[side])
        if 'stages' not in self.settings.skip:
            seconds_of(runner)
            runner.prepare()
            clock = split(runner, parts, synchronizer(self.settings.device))
            record.update(stages=clock.seconds, cpu_stages=clock.cpu_seconds)
            tick('stages')
        if 'costs' not in self.settings.skip:
            took = seconds_of(runner).wall
            runner.prepare()
            costs = count_costs(runner, ceilings)
            record['costs'] = dict(costs, seconds=took, roofline=costs['bound'] / took,
                                   matrix_share=costs['matrix_bound'] / took)
            tick('costs')
        runner.forget()

    def _memory(self, side: str, case: Case, bias: float) -> dict[str, Any]:
        order = json.dumps(dict(model=self.model, side=side, case=case._asdict(), bias=bias,
                                threads=torch.get_num_threads(),
                                settings=self.settings._asdict()))
        done = subprocess.run([sys.executable, '-m', 'dev.speed', '--memory-of', order],
                              capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(f'the process that measures the memory of {side} failed: '
                               f'{done.stderr.strip()[-2000:]}')
        return json.loads(done.stdout.splitlines()[-1])


def measure_memory(order: str) -> dict[str, Any]:
    """What the child process of :meth:`Session.measure` does."""
    given = json.loads(order)
    torch.set_num_threads(given['threads'])
    case = Case(**dict(given['case'], size=tuple(given['case']['size'])))
    session = Session(given['model'], Settings(**given['settings']), only=given['side'])
    session.set_bias(given['bias'])
    if given['side'] == 'theirs':
        # the copy of our weights has been made
        language = session.ours.language_model
        session.count_tokens = _counter(language.tokenizer)
        del session.ours, language
    return peak_of(session.runner(given['side'], case))


def _counter(tokenizer: Any) -> Callable[[Sequence[str]], list[int]]:
    def count_tokens(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False,
                                              verbose=False)['input_ids']]
    return count_tokens


def _ratios(times: dict[str, list[Took]], sides: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, index in (('seconds', 0), ('cpu_seconds', 1)):
        found[name] = ratios(*([t[index] for t in times[side]] for side in ('ours', 'theirs')))
    memory = [sides[side].get('memory') for side in ('ours', 'theirs')]
    if all(memory) and memory[0]['run'] > 0:
        found['memory'] = memory[1]['run'] / memory[0]['run']
    return found
