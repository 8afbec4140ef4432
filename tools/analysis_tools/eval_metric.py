"""Score stored predictions of a test again, without its model; or write them for a leaderboard.

Needs no images: predictions and ground truth are read from WORK_DIR/predictions.

Example:
    python tools/analysis_tools/eval_metric.py work_dirs/glip_swin-t_o365_lvis_minival
    python tools/analysis_tools/eval_metric.py work_dirs/odinw --leaderboard odinw.json
"""

import argparse
import time
from contextlib import nullcontext
from pathlib import Path

from glip_mm_cli.inputs import existing
from glip_mm_cli.options import add_cfg_options, merge_cfg_options, parse_early


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description='Score the predictions of a test again, without '
                                     'its model; or write them for a leaderboard.')
    parser.add_argument('result', type=existing, help='work directory of the test')
    parser.add_argument('config', nargs='?', help='config whose test_evaluator is to score '
                        "(default: the test's own)")
    parser.add_argument('--leaderboard', metavar='FILE.json',
                        help='write predictions as the ODinW leaderboard takes them')
    parser.add_argument('--model-name', help='what the leaderboard calls the model (default: '
                        'model_name of the config)')
    parser.add_argument('--out', metavar='FOLDER',
                        help='where metrics.json and config.py go (default: RESULT)')
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

import glip_mm  # noqa: F401
from glip_mm.apis.launch import read_config
from glip_mm.apis.leaderboard import write_leaderboard
from glip_mm.apis.testing import report, write_results
from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.evaluation.predictions import PredictionStore
from glip_mm.evaluation.run_config import read_run_config
from glip_mm.evaluation.scoring import score, write_into
from glip_mm.file_lock import writing_into
from glip_mm.registry import DATASETS, EVALUATOR


def main() -> None:
    """Score the predictions."""
    parser = make_parser()
    args = parser.parse_args()
    writes = not args.leaderboard and Path(args.result, 'predictions').is_dir()
    with writing_into(args.out or args.result) if writes else nullcontext():
        score_again(parser, args)


def score_again(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Score the predictions, or write them for a leaderboard."""
    folder = Path(args.result)
    try:
        store = PredictionStore(folder / 'predictions')
        own = folder / 'config.py'
        if not args.config and not own.is_file():
            parser.error(f"'{own}' is missing (the test did not finish): give a config")
        config = read_config(parser, args.config) if args.config else read_run_config(own)
        merge_cfg_options(config, args.cfg_options)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    init_default_scope(config.get('default_scope', 'glip_mm'))
    logger = MMLogger.get_instance('eval_metric')
    try:
        if args.leaderboard:
            path = write_leaderboard(store, args.leaderboard,
                                     args.model_name or config.get('model_name') or folder.name)
            logger.info(f"wrote '{path}'")
            return
        for key in ('test_dataloader', 'test_evaluator'):
            if not config.get(key):
                parser.error(f"config '{args.config or own}' has no {key}")
        missing = [key for key in ('num_images', 'datasets') if key not in store.meta]
        if missing:
            parser.error(f"'{store.folder / 'meta.json'}' has no {missing[0]}: run the test again")
        start, dataset = time.time(), DATASETS.build(config.test_dataloader.dataset)
        if len(dataset) != store.meta['num_images']:
            parser.error(f"the data set of the config has {len(dataset)} images, the predictions "
                         f"are of {store.meta['num_images']}, as "
                         f"'{store.folder / 'meta.json'}' says")
        evaluator = build_evaluator(config)
        evaluator.dataset_meta = dataset.metainfo
        write_into(evaluator, str(args.out or folder))
        metrics = score(store, evaluator, len(dataset))
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    before = read_before(folder / 'metrics.json')
    if not config.get('load_from'):
        config.load_from = before.get('checkpoint')
    # the time of the prediction is more informative than that of the scoring
    path = write_results(args.out or folder, metrics, config, store.meta['datasets'],
                         before.get('seconds', time.time() - start))
    logger.info('\n'.join(f'{k}: {v:.6g}' for k, v in metrics.items()) + f"\nin '{path}'")
    report(metrics, config, logger)


def read_before(path: Path) -> dict:
    """Read the results of the test; those that are missing or damaged are written anew."""
    try:
        content = read_json(path)
    except (DataError, FileNotFoundError):
        return {}
    return content if isinstance(content, dict) else {}


def build_evaluator(config: Config) -> Evaluator:
    """Build the evaluator of a config's test, as MMEngine's runner does."""
    settings = config.test_evaluator
    if isinstance(settings, dict) and 'metrics' in settings:
        return EVALUATOR.build(dict(dict(type='Evaluator'), **settings))
    return Evaluator(settings)


if __name__ == '__main__':
    main()
