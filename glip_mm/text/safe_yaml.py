"""Reading of YAML that may come from anywhere."""

from typing import Any

import yaml

from glip_mm.limits import DEPTH, YAML_VALUES


def load_yaml(text: str, loader: Any = yaml.SafeLoader) -> Any:
    """Parse YAML without running or inflating anything.

    Args:
        text: Content of a file.
        loader: A safe loader of PyYAML.

    Raises:
        yaml.YAMLError: If it is not valid, has too many values, or is nested too deeply.
    """
    parser = loader(text)
    try:
        # the parsers call themselves for each level, that of C until the stack ends
        depth, deepest = 0, DEPTH.value
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > deepest:
                raise yaml.YAMLError(f'it is nested more deeply than {DEPTH} levels')
        node = parser.get_single_node()
        if node is None:
            return None
        if _count(node, {}) > YAML_VALUES.value:
            raise yaml.YAMLError('it has more values with its aliases (*name) written out than '
                                 f'{YAML_VALUES}: write what they stand for')
        return parser.construct_document(node)
    except ValueError as error:  # of a date such as 2000-99-99
        raise yaml.YAMLError(str(error)) from None
    finally:
        parser.dispose()


def _count(node: yaml.Node, known: dict[int, float]) -> float:
    """Return the number of values with all aliases written out; endless ones are infinite."""
    if id(node) not in known:
        known[id(node)] = float('inf')  # for an alias within what it stands for
        parts = node.value if isinstance(node.value, list) else []
        known[id(node)] = 1 + sum(_count(each, known) for part in parts
                                  for each in (part if isinstance(part, tuple) else (part, )))
    return known[id(node)]
