"""Measurements of one architecture, case by case."""

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
from .port import choose_deform_conv
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

#: Number of names that suffices for a long vocabulary's memory, stages and FLOPs: four prompts.
PROBED = 4 * CHUNK
#: Number of names of a long vocabulary to compare before it is timed: two prompts.
CHECKED = 2 * CHUNK
#: Number of images of a batch to compare.
CHECKED_IMAGES = 2
SIDES = ('ours', 'theirs')
EXTRAS = ('stages', 'costs', 'memory')


class Settings(NamedTuple):
    """Settings of the measurements.

    Attributes:
        runs: Number of timed runs of each model.
        warmup: Number of runs before them.
        device: Device type, ``'cpu'`` or ``'cuda'``.
        dtype: Precision of autocast, or float32.
        nano: Whether to use the tiny size of the tests.
        ours_only: Whether to leave out MMDetection's model.
        checkpointing: Whether training uses gradient checkpointing in the fusion.
        cold_text: Whether to encode prompts anew in every run.
        skip: Measurements of ``EXTRAS`` to leave out.
        their_dtype: Precision of MMDetection's model; default: as ours.
        check_dtype: Precision in which both must agree before they are timed; default: as timed.
        memory_here: Whether to measure memory in this process, which has both models' weights.
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
    check_dtype: str | None = None
    memory_here: bool = False

    def dtype_of(self, side: str) -> str:
        """Return the precision of one side."""
        return self.their_dtype or self.dtype if side == 'theirs' else self.dtype


class Session:
    """Both models of one architecture.

    Args:
        model: Name of the model, a key of ``CONFIGS``.
        settings: Settings of the measurements.
        only: Side to keep alone, for its memory.

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
                self.deform_conv = choose_deform_conv(self.sides['theirs'])
        for side in self.sides.values():
            side.to(settings.device)
        self.count_tokens = self.ours.language_model.count_tokens

    def set_bias(self, bias: float) -> None:
        """Set the classifier's bias in both models."""
        self.ours.bbox_head.bias0.data.fill_(bias)
        if 'theirs' in self.sides:
            copy_weights(self.ours, self.sides['theirs'])

    def choose_bias(self, case: Case) -> float:
        """Choose the bias with which a case has as many candidates as a photograph would."""
        if case.training:
            return -4.5
        runner = self.runner('ours', case._replace(batch=1, names=CHUNK))
        names = vocabulary(case)[:case.chunked_size] if case.chunked_size > 0 else vocabulary(case)
        sample = DetDataSample(metainfo=dict(text=tuple(names), img_shape=case.size))
        data = self.ours.data_preprocessor(
            dict(inputs=runner.images, data_samples=[sample]), False)
        return calibrate(self.ours, data['inputs'], data['data_samples'])

    def runner(self, side: str, case: Case, dtype: str | None = None) -> Runner:
        """Make the runner of one side; its precision is that of the settings by default."""
        return Runner(self.sides[side], case, self.count_tokens, self.settings.device,
                      dtype or self.settings.dtype_of(side), cold_text=self.settings.cold_text,
                      inclusive_boxes=side == 'theirs',
                      one_at_a_time=side == 'theirs' and case.chunked_size > 0)

    def measure(self, case: Case, ceilings: dict[str, float],
                tick: Callable[[str], None] = lambda what: None) -> dict[str, Any]:
        """Measure everything about a case.

        Args:
            case: Case to run.
            ceilings: Throughputs of the machine.
            tick: Function called with the name of each finished measurement.

        Returns:
            Record of the case; see ``report.py``.

        Raises:
            Disagreement: If the outputs of the two models differ.
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
            small = case._replace(names=min(case.names, CHECKED),
                                  batch=min(case.batch, CHECKED_IMAGES))
            dtypes = [settings.check_dtype or settings.dtype_of(side) for side in SIDES]
            record['their_deform_conv'] = self.deform_conv
            record['agreement'] = check(*map(self.runner, SIDES, (small, small), dtypes),
                                        loosest(*dtypes))
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
        if self.settings.memory_here:
            return peak_of(self.runner(side, case))
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
    """Measure peak memory in the child process of :meth:`Session.measure`."""
    given = json.loads(order)
    torch.set_num_threads(given['threads'])
    case = Case(**dict(given['case'], size=tuple(given['case']['size'])))
    session = Session(given['model'], Settings(**given['settings']), only=given['side'])
    session.set_bias(given['bias'])
    if given['side'] == 'theirs':
        # their copy of our weights exists already
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
        found[name] = ratios(*([t[index] for t in times[side]] for side in SIDES))
    memory = [sides[side].get('memory') for side in SIDES]
    if all(memory) and memory[0]['run'] > 0:
        found['memory'] = memory[1]['run'] / memory[0]['run']
    return found
