"""Reading of YAML that may come from anywhere."""

from typing import Any

import yaml

#: Values that a file may hold with all aliases written out; nine lines of aliases make 10**9.
MOST_VALUES = 10_000_000
#: Levels of nesting.
_DEEPEST = 100


def load_yaml(text: str, loader: Any = yaml.SafeLoader, most: int = MOST_VALUES) -> Any:
    """Parse YAML without running or inflating anything.

    Args:
        text: Content of a file.
        loader: A safe loader of PyYAML.
        most: Limit of the number of values with all aliases written out.

    Raises:
        yaml.YAMLError: If it is not valid, has too many values, or is nested too deeply.
    """
    parser = loader(text)
    try:
        # the parsers call themselves for each level, that of C until the stack ends
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise yaml.YAMLError(f'it is nested more than {_DEEPEST} levels deep')
        node = parser.get_single_node()
        if node is None:
            return None
        if _count(node, {}) > most:
            raise yaml.YAMLError(f'with its aliases (*name) written out it has more than {most:,} '
                                 'values: write what they stand for')
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
