"""Config stored in a checkpoint, read without executing it."""

import ast
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

#: Keys that belong to a run and not to its model or data.
_OF_THE_RUN = ('work_dir', 'launcher', 'load_from', 'resume', 'experiment_name')


def stored_config(checkpoint: Mapping[str, Any]) -> Config | None:
    """Read the config in a checkpoint's ``meta``, without the keys of that run.

    MMEngine stores it as Python source, and checkpoints may come from anywhere: only literals are
    read.

    Args:
        checkpoint: Content of a checkpoint file.

    Returns:
        The config; None if there is none.

    Raises:
        ValueError: If the stored config holds more than literals.
    """
    text = (checkpoint.get('meta') or {}).get('cfg')
    if not text:
        return None
    if isinstance(text, Mapping):
        content = dict(text)
    else:
        try:
            content = {statement.targets[0].id: _value(statement.value)
                       for statement in ast.parse(text).body}
        except (AttributeError, SyntaxError, ValueError) as error:
            raise ValueError(f'the config in the checkpoint is not one of values alone ({error}): '
                             'give its file') from error
    return Config({k: v for k, v in content.items() if k not in _OF_THE_RUN})


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        found = {}  # keys that are no identifiers are written as dict({...})
        for part in node.args:
            found.update(_value(part))
        return {**found, **{k.arg: _value(k.value) for k in node.keywords}}
    if isinstance(node, ast.Dict):
        # the key of {**other} is None, which literal_eval refuses as it must
        return {ast.literal_eval(k): _value(v)  # type: ignore[arg-type]  # see above
                for k, v in zip(node.keys, node.values)}
    if isinstance(node, (ast.List, ast.Tuple)):
        return (list if isinstance(node, ast.List) else tuple)(map(_value, node.elts))
    return ast.literal_eval(node)
