"""Developers' tools under their names in release 0.1, which the next release removes."""

import runpy
import sys
from pathlib import Path

MODULES = dict(
    run_ablation='dev.experiments', run_self_training='dev.experiments.self_training',
    run_transfer='dev.experiments.transfer', check_parity='dev.parity', benchmark='dev.speed',
    benchmark_dataset='dev.speed.dataset', benchmark_pipeline='dev.speed.pipeline',
    benchmark_lvis_ap='dev.speed.lvis_ap', benchmark_noun_phrases='dev.speed.noun_phrases',
    compile_triton='dev.speed.compile_triton')


def run(file: str) -> None:
    """Run the module that replaces an old tool.

    Args:
        file: Path of the old tool.
    """
    module, root = MODULES[Path(file).stem], Path(file).resolve().parents[2]
    print(f'warning: {Path(file).name} is now: python -m {module}', file=sys.stderr)
    if not (root / 'dev').is_dir():
        sys.exit('error: it comes with the repository, not with the package')
    sys.path[0] = str(root)
    from glip_mm_cli.ending import end_clearly
    end_clearly()
    runpy.run_module(module, run_name='__main__', alter_sys=True)
