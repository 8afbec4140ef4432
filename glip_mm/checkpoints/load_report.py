"""Report of a state dict's conversion or loading."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class LoadReport:
    """Report of a conversion or a load.

    Args:
        naming: Naming found in the file: ``'official'``, ``'mmdet'`` or ``'ours'``.
        container: Key of the container that held the weights, ``''`` for a bare state dict.
        ddp_prefix: Whether keys carried ``module.``.
        num_entries: Number of entries found.
        num_kept: Number of entries kept.
        dropped: Dropped key -> reason.
        added: Added constant of the target naming -> reason.
        absent: Optional parts of the model that the file lacks; they keep their initial values.
        left: other entries of the model that the file lacks or has in another shape; they keep
            their values because ``strict_load`` says so.
    """

    naming: str = 'ours'
    container: str = ''
    ddp_prefix: bool = False
    num_entries: int = 0
    num_kept: int = 0
    dropped: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        where = f" in '{self.container}'" if self.container else ''
        prefix = " with 'module.'" if self.ddp_prefix else ''
        lines = [f'{self.num_entries} entries, {self.naming} naming{prefix}{where}: '
                 f'{self.num_kept} kept, {len(self.dropped)} dropped']
        lines += self._grouped('dropped', self.dropped)
        lines += self._grouped('added', self.added)
        if self.absent:
            lines.append(f'  not in the file, left as initialised: {few(self.absent, 3)}')
        if self.left:
            lines.append(f'  {len(self.left)} entries of the model left as they were, as '
                         f"model.strict_load allows: {', '.join(self.left)}")
        return '\n'.join(lines)

    @staticmethod
    def _grouped(verb: str, reasons: dict[str, str]) -> list[str]:
        groups = defaultdict(list)
        for key, why in reasons.items():
            groups[why].append(key)
        return [f'  {verb} {few(keys, 3)}: {why}' for why, keys in groups.items()]


def few(keys: Iterable[str], limit: int = 8) -> str:
    """Join the first names of a list, with the number of the others."""
    names = [str(key) for key in keys]
    more = len(names) - limit
    return ', '.join(names[:limit]) + (f' and {more} more' if more > 0 else '')
