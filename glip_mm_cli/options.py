"""Shared parts of the tools' command lines: options, and checks that files exist."""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .benchmarks import moved_config
from .ending import end_clearly
from .inputs import similar_files
from .outputs import check_outputs
from .places import shared_file, shared_root
from .settings import read_setting

if TYPE_CHECKING:
    from mmengine.config import Config


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every run has."""
    parser.add_argument('--work-dir', help='folder for logs and results '
                        '(default: work_dirs/NAME_OF_THE_CONFIG)')
    add_cfg_options(parser, 'settings that replace those of the config, for example '
                    "model.bbox_head.num_levels=3 or 'keys=[a,b]'")
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                        help='what started this process among others (default: none)')
    parser.add_argument('--verbose', action='store_true', help='show everything on the screen that '
                        'goes to the log file: environment, config, hooks, each interval')
    # torch.distributed.launch passes it in either spelling
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)


#: Keys of configs that are read outside of the runner's own arguments.
_ALSO_READ = ('auto_scale_lr', 'compile', 'custom_imports', 'find_unused_parameters', 'runner_type',
              'tta_model', 'tta_pipeline')
#: Help of an argument that names a model.
MODEL = ('config file, name of the model index, checkpoint with its config, or folder of '
         'save_pretrained() or its id on the hub')
#: Help of an option that names weights.
WEIGHTS = 'checkpoint; default: the one the model index names'


def add_texts(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to look for."""
    texts = parser.add_mutually_exclusive_group(required=True)
    texts.add_argument(
        '--texts', help="what to look for: a caption; names separated by '. ' with -c; '$: coco' "
        'for the classes of a data set')
    texts.add_argument('--texts-file', type=Path, help='text file of names, one a line')
    parser.add_argument('--negatives', nargs='+', default=(), metavar='NAME',
                        help='names that compete for boxes and are not returned')
    parser.add_argument('--custom-entities', '-c', action='store_true',
                        help="--texts holds names separated by '. '")
    parser.add_argument('--chunked-size', '-s', type=int, default=None,
                        help='names in one prompt; -1: as many as the language model takes; '
                        "default: the config's")
    parser.add_argument('--shortlist', type=int, metavar='K', help='of a long list of names, look '
                        'for the K alone that a small copy of the image shows best')


def texts_of(args: argparse.Namespace) -> str | list[str]:
    """Return what :func:`add_texts` says to look for; files are read before a model is built.

    Raises:
        FileNotFoundError, ValueError: See :func:`glip_mm.text.names.read_names`.
    """
    if args.texts_file is None:
        return args.texts
    from glip_mm.text.names import read_names  # slow, so only when needed
    return read_names(args.texts_file)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument('--device', help='default: the accelerator if there is one')


def add_dtype(parser: argparse.ArgumentParser) -> None:
    """Add ``--dtype``, the ``test_cfg.dtype`` of the model."""
    parser.add_argument('--dtype', choices=['bfloat16', 'float16'], help='number format in which '
                        "the network predicts (default: the config's, float32); weights and "
                        'boxes stay float32, float16 needs a GPU')


def add_thresholds(parser: argparse.ArgumentParser, option: str, what: str) -> None:
    """Add an option that takes score thresholds.

    Args:
        parser: Parser to add it to.
        option: Its name.
        what: What does not happen to boxes below.
    """
    parser.add_argument(option, nargs='+', metavar='SCORE',
                        help=f'boxes below are not {what}: a number, NAME=NUMBER for a name of its '
                        "own, a JSON file of thresholds; default: the model's, else 0.3")


def add_palette(parser: argparse.ArgumentParser) -> None:
    """Add ``--palette``."""
    parser.add_argument('--palette', default='none',
                        choices=['coco', 'voc', 'citys', 'random', 'none'],
                        help="none: GLIP's own colours, far from each other")


class _Settings(argparse.Action):
    """Read KEY=VALUE as MMEngine does, whose slow import waits until there are any."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: str | Sequence[Any] | None, option_string: str | None = None) -> None:
        options = dict(getattr(namespace, self.dest) or {})
        for word in values or ():
            key, equals, value = word.partition('=')
            if not key or not equals:
                raise argparse.ArgumentError(self, f'{word!r} is not KEY=VALUE')
            try:
                options[key] = read_setting(value)
            except (AssertionError, RecursionError) as error:
                raise argparse.ArgumentError(self, f'{word[:80]!r}: {error}') from None
        setattr(namespace, self.dest, options)


def add_cfg_options(parser: argparse.ArgumentParser,
                    text: str = 'settings that replace those of the config') -> None:
    """Add ``--cfg-options``, which :func:`merge_cfg_options` takes.

    Args:
        parser: Parser to add it to.
        text: Help of the option.
    """
    parser.add_argument('--cfg-options', nargs='+', action=_Settings, metavar='KEY=VALUE',
                        help=text)


def merge_cfg_options(config: 'Config', options: Mapping[str, Any] | None) -> None:
    """Replace settings of a config.

    Args:
        config: Config to change in place.
        options: Values of :func:`add_cfg_options`: keys with dots.

    Raises:
        ValueError: If a key leads through a value that holds none.
    """
    for key, value in (options or {}).items():
        _warn_of_unknown(config, key)
        try:
            config.merge_from_dict({key: value})
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = ' '.join(str(error.args[0] if error.args else error).split())
            raise ValueError(f"--cfg-options {key}={value} does not fit config "
                             f"'{config.filename or ''}': {reason}") from error


def _warn_of_unknown(config: 'Config', key: str) -> None:
    """Warn of a setting that nothing reads: neither the config has it nor MMEngine's runner."""
    import inspect

    from mmengine.runner import Runner
    first = key.partition('.')[0]
    known = [*config, *inspect.signature(Runner).parameters, *_ALSO_READ]
    if first not in known:
        near = get_close_matches(first, known, n=1)
        warnings.warn(f"--cfg-options {key}: the config has no '{first}'"
                      + (f"; did you mean '{near[0]}'?" if near else ', so nothing may read it'),
                      stacklevel=3)


def config_file(name: str, option: str = 'config') -> str:
    """Find a config file.

    Args:
        name: Path of a config, which is also searched among the configs of the package (such as
            ``configs/glip/x.py``), or a name of the model index.
        option: Name of the argument, for the message.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: If there is neither; the message lists similar files.
    """
    path, shared = shared_file(name), shared_root()
    if path.is_file():
        return str(path)
    moved = moved_config(name)
    if moved:
        warnings.warn(f"'{name}' is gone with the next release: give '{moved[0]}', and tests "
                      f"--benchmark {moved[1]}", FutureWarning, stacklevel=2)
        return moved[0]
    if Path(name).suffix not in ('.py', '.json', '.yml', '.yaml') and Path(name).name == name:
        # imports torch, so only if the path does not exist
        from glip_mm.checkpoints.model_index import find_model
        try:
            return str(find_model(name).config)
        except ValueError as error:
            raise FileNotFoundError(str(error)) from error
    near = name
    if (shared is not None and (shared / name).parent.is_dir()
            and not Path(name).parent.is_dir()):
        near = str(shared / name)
    raise FileNotFoundError(f"{option} '{name}' is not a file{similar_files(near)}")


def parse_early(parser: argparse.ArgumentParser, configs: Sequence[str] = ('config', ),
                checkpoints: Sequence[str] = ('checkpoint', ),
                argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line and check its files before a tool's slow imports.

    From now on the program ends as :func:`.ending.end_clearly` says.

    Args:
        parser: Parser of the tool.
        configs: Attributes of the arguments that name a config.
        checkpoints: Attributes of the arguments that name a checkpoint.
        argv: Arguments; default: ``sys.argv``.

    Returns:
        Parsed arguments.
    """
    end_clearly()
    args = check_outputs(parser.parse_args(argv))
    spelling = {action.dest: (*action.option_strings, action.dest)[0] for action in parser._actions}
    for name in (*configs, *checkpoints):
        value = getattr(args, name, None)
        if value and Path(value).is_dir() and not (
                name in configs and (Path(value) / 'model.safetensors').is_file()):
            parser.error(folder_for_file(spelling[name], value))
    for name in configs:
        value = getattr(args, name) or ''
        if value.endswith('.py'):  # names of models are looked up later
            try:
                config_file(value, spelling[name])
            except FileNotFoundError as error:
                parser.error(str(error))
        elif Path(value).suffix in ('.pth', '.pt', '.safetensors'):
            check_checkpoint(parser, value, spelling[name])
    for name in checkpoints:
        value = getattr(args, name, None)
        if value:
            check_checkpoint(parser, value, spelling[name])
    return args


def check_checkpoint(parser: argparse.ArgumentParser, name: str, option: str) -> None:
    """End the program if a checkpoint is neither a file nor an address nor a model's name."""
    if '://' not in name and Path(name).suffix and not Path(name).is_file():
        parser.error(f"{option} '{name}' is not a file{similar_files(name)}")


def folder_for_file(option: str, folder: str | Path) -> str:
    """Build the message for a folder given instead of a file, with the files that it holds."""
    found = sorted(path.name for path in Path(folder).iterdir() if path.is_file())
    there = f": {', '.join(found[:8])}" if found else '; it holds none'
    return f"{option} '{folder}' is a folder: give a file in it{there}"
