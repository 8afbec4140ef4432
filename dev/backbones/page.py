"""The table as a page of the documents."""

from collections.abc import Mapping
from typing import Any

from .entries import BACKBONES, NECKS, OTHERS, Entry

#: Around the tables in docs/backbones.md.
BEGIN, END = '<!-- python -m dev.backbones --out FILE makes -->\n', '\n<!-- /backbones -->'


def with_tables(page: str) -> str:
    """Return a page whose part between :data:`BEGIN` and :data:`END` is made anew.

    Raises:
        ValueError: If the page has no such part.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f'the page needs {BEGIN.strip()!r} and {END.strip()!r}')
    return head + begin + format_tables() + end + tail


def format_tables() -> str:
    """Return the tables as Markdown."""
    return '\n'.join(['## Backbones', '', *_table('backbone', BACKBONES, {'in_channels'}),
                      '', '## Necks', '',
                      'Behind a ResNet-18, whose maps have 128, 256 and 512 channels.', '',
                      *_table('neck', NECKS, None), '', '## Of other packages', '',
                      *_table('class', OTHERS, {'in_channels'}, imports=True)])


def verdict(entry: Entry, usual: set[str] | None) -> str:
    """Return the verdict of an entry.

    Args:
        entry: A backbone or neck.
        usual: Keys of ``neck`` that are no extra lines; None: all.
    """
    if entry.refused:
        return 'cannot'
    neck = entry.lines['neck']
    if set(entry.lines) - ({'neck'} if usual is None else {'backbone', 'neck'}) or (
            usual is not None and set(neck) - usual) or isinstance(neck, list):
        return 'with these lines'
    return 'works'


def _table(kind: str, entries: Mapping[str, Entry], usual: set[str] | None,
           imports: bool = False) -> list[str]:
    rows = [f'| {kind} | verdict | lines | note |', '| --- | --- | --- | --- |']
    for name, entry in sorted(entries.items(), key=lambda item: item[0].casefold()):
        lines = '<br>'.join(f'`{key}={written(value)}`' for key, value in entry.lines.items())
        if imports:
            lines = f"`custom_imports=dict(imports=['{entry.imports}'])`<br>{lines}"
        rows.append(f'| {name} | {verdict(entry, usual)} | {lines} | '
                    f'{entry.refused or entry.note} |')
    return rows


def written(value: Any) -> str:
    """Write a value as configs do."""
    if isinstance(value, dict):
        return f"dict({', '.join(f'{key}={written(part)}' for key, part in value.items())})"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return repr(value)
