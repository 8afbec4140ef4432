"""Config stored in a checkpoint, read without executing it."""

import ast
import math
from collections.abc import Mapping
from typing import Any

#: Keys that belong to a run and not to its model or data.
_OF_THE_RUN = ('work_dir', 'launcher', 'load_from', 'resume', 'experiment_name')


def stored_config(checkpoint: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the config in a checkpoint's ``meta``, without the keys of that run.

    MMEngine stores it as Python source, and checkpoints may come from anywhere: only literals are
    read. What they name is not checked: see :func:`glip_mm.safe_config.plain_part` before anything
    is built from them.

    Args:
        checkpoint: Content of a checkpoint file.

    Returns:
        The config; None if there is none.

    Raises:
        ValueError: If the stored config holds more than literals.
    """
    meta = checkpoint.get('meta')
    text = meta.get('cfg') if isinstance(meta, Mapping) else None
    if not text:
        return None
    content = dict(text) if isinstance(text, Mapping) else read_values(
        text, 'the config in the checkpoint')
    return {key: value for key, value in content.items() if key not in _OF_THE_RUN}


def read_values(text: Any, source: str) -> dict[str, Any]:
    """Read a config as MMEngine writes it, of which nothing is run.

    Args:
        text: Python source: assignments of literals.
        source: What the config is, for messages.

    Raises:
        ValueError: If it holds more than literals.
    """
    try:
        lines = ast.parse(text).body
        if strange := [line for line in lines if not isinstance(line, ast.Assign)]:
            raise ValueError(f'line {strange[0].lineno} is no KEY = VALUE')
        return {line.targets[0].id: _value(line.value) for line in lines}
    except (AttributeError, MemoryError, RecursionError, SyntaxError, TypeError,
            ValueError) as error:  # of text that is no source, too
        reason = str(error)[:120] or 'nested too deeply'
        raise ValueError(f'{source} is not one of values alone ({reason}): give its file'
                         ) from error


def _value(node: ast.AST) -> Any:
    if ast.unparse(node) == "float('nan')":
        return math.nan
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
