"""Report of a benchmark: JSON for programs, Markdown for people."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from glip_mm.atomic_files import write_atomically

from .stages import STAGES

SCHEMA = 1
PACKAGES = ('torch', 'mmcv', 'mmcv-lite', 'mmengine', 'mmdet', 'transformers', 'numpy')


def processor() -> str:
    """Return the name of the CPU."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.exists() else []
    names = [line.split(':')[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def machine(device: str) -> dict[str, Any]:
    """Describe the machine of the measurements."""
    found = dict(processor=processor(), cores=os.cpu_count(), threads=torch.get_num_threads(),
                 system=platform.platform(), python=platform.python_version())
    if device.startswith('cuda'):
        found.update(gpu=torch.cuda.get_device_name(), cuda=torch.version.cuda)
    return found


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that affect speed."""
    import transformers
    found = dict(transformers=transformers.__version__)
    for name in PACKAGES:
        try:
            found.setdefault(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_json(path: str, record: dict[str, Any]) -> None:
    """Write the record atomically."""
    write_atomically(path, (json.dumps(record, indent=2) + '\n').encode())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = ['| ' + ' | '.join(header) + ' |', '| ' + ' | '.join('---' for _ in header) + ' |']
    return '\n'.join(lines + ['| ' + ' | '.join(row) + ' |' for row in rows])


def _seconds(side: dict[str, Any]) -> str:
    return f"{side['seconds']['median']:.3g}" if side else ''


def _mebibytes(side: dict[str, Any]) -> str:
    memory = side.get('memory')
    if not memory:
        return ''
    mark = '' if memory['exact'] else '≤ '
    return f"{mark}{memory['run']:,.0f} of {memory['peak']:,.0f}"


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else ''


def time_table(results: Sequence[dict[str, Any]]) -> str:
    """Format times, ratios and memory of all measurements."""
    rows = []
    for r in results:
        name = [r['model'], r['title']]
        if 'error' in r:
            rows.append([*name, f"failed: {r['error'].splitlines()[0]}", '', '', '', '', '', ''])
            continue
        ours, theirs = r['sides'].get('ours', {}), r['sides'].get('theirs', {})
        ratio = r.get('ratio', {})
        memory = ratio.get('memory')
        rows.append([*name, _seconds(ours), _seconds(theirs), _ratio(ratio.get('seconds', {})),
                     _ratio(ratio.get('cpu_seconds', {})), _mebibytes(ours), _mebibytes(theirs),
                     f'{memory:.2f}' if memory else ''])
    return table(('model', 'work', 'glip_mm, s', 'MMDetection, s', 'times as fast',
                   'by CPU time', 'glip_mm, MiB', 'MMDetection, MiB', 'times less'), rows)


def stage_table(results: Sequence[dict[str, Any]]) -> str:
    """Format the seconds of each stage."""
    rows = []
    for r in results:
        for name, side in r.get('sides', {}).items():
            if 'stages' in side:
                rows += [[r['model'], r['profiled'], name, clock,
                          *(f'{side[key][s]:.3g}' for s in STAGES)]
                         for clock, key in (('wall', 'stages'), ('CPU', 'cpu_stages'))]
    return table(('model', 'work', 'side', 'seconds', *STAGES), rows) if rows else ''


def cost_table(results: Sequence[dict[str, Any]]) -> str:
    """Format the FLOPs, and the share of the machine's ceilings that a run reaches."""
    rows = []
    for r in results:
        for name, side in r.get('sides', {}).items():
            costs = side.get('costs')
            if costs:
                rows.append([r['model'], r['profiled'], name, f"{costs['flops'] / 1e9:,.0f}",
                             f"{costs['bytes'] / 1e9:,.1f}", f"{costs['seconds']:.3g}",
                             f"{costs['roofline']:.0%}", f"{costs['matrix_share']:.0%}"])
    return table(('model', 'work', 'side', 'GFLOP', 'GB moved by operations', 'seconds',
                   'of the roofline', 'of the matrix ceiling'), rows) if rows else ''


def _other(settings: dict[str, Any]) -> str:
    theirs = settings['their_dtype']
    return f' (MMDetection: {theirs})' if theirs and not settings['ours_only'] else ''


def markdown(record: dict[str, Any]) -> str:
    """Format the whole record for a page of benchmarks."""
    where, ceilings = record['machine'], record['ceilings']
    settings = record['settings']
    lines: list[str] = [
        f"{where.get('gpu', where['processor'])}, {where['threads']} threads; Python "
        f"{where['python']}, " + ', '.join(f'{k} {v}' for k, v in record['versions'].items()),
        '', '```bash', record['command'], '```', '',
        f"{settings['dtype']}{_other(settings)} on {settings['device']}; medians of "
        f"{settings['runs']} interleaved runs, lowest and highest ratio in brackets; memory: what "
        'one run adds, of the peak of the process (without the runs before it). '
        f"Ceilings measured here: {ceilings['flops'] / 1e9:,.0f} GFLOP/s (matrix product), "
        f"{ceilings['bytes'] / 1e9:,.1f} GB/s (copy)."]
    for part in (time_table, stage_table, cost_table):
        text = part(record['results'])
        lines += ['', text] if text else []
    return '\n'.join(lines)


def against(record: dict[str, Any], other: dict[str, Any]) -> str:
    """Compare our times with those of an earlier record, for cases that both have."""
    def key(r: dict[str, Any]) -> tuple:
        return r['model'], r['title']

    before = {key(r): r for r in other['results'] if 'sides' in r}
    rows = []
    for r in record['results']:
        old = before.get(key(r))
        if old is None or 'sides' not in r:
            continue
        a, b = (x['sides']['ours']['seconds']['median'] for x in (old, r))
        rows.append([r['model'], r['title'], f'{a:.3g}', f'{b:.3g}', f'{a / b:.2f}'])
    return table(('model', 'work', 'before, s', 'now, s', 'times as fast'), rows)
