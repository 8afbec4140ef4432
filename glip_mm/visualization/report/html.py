"""Pieces of HTML, escaped."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = '''
body { max-width: 1500px; margin-inline: auto; padding: 0 20px }
h1 { font-size: 26px; line-height: 1.25; margin: 24px 0 4px }
h2 { font-size: 20px; color: var(--strong); margin: 36px 0 10px; overflow-wrap: anywhere }
h3 { font-size: 16px; color: var(--strong); margin: 0 0 8px }
h4 { font-size: 16px; color: var(--strong); margin: 28px 0 10px }
p { margin: 0 0 10px; max-width: 80ch }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 12px 0 20px }
nav a { display: inline-block; padding: 6px 0 }
.grid { display: grid; gap: 16px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(360px, 100%), 1fr)) }
.card { background: var(--card); border-radius: 8px; padding: 14px 16px; min-width: 0 }
.card + .card, .grid + .card, .card + .grid, .grid + .grid, details + details { margin-top: 16px }
.grid > .card + .card { margin-top: 0 }
.wide { grid-column: 1 / -1 }
.narrow { max-width: 860px }
@media (min-width: 860px) { .double { grid-column: span 2 } }
table + dl, .scroll + dl { margin-top: 10px }
.card svg { width: 100%; height: auto; display: block }
.scroll { overflow: auto; max-width: 100% }
.scroll > svg { max-width: none }
.tall { max-height: 420px }
.small { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(145px, 1fr)) }
.small div { min-width: 0 }
.small b { font-size: 13px; font-weight: 600; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid var(--line);
  font-size: 14px; font-variant-numeric: tabular-nums; white-space: nowrap }
th { color: var(--muted); font-weight: 600; position: sticky; top: 0; background: var(--card) }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal;
  overflow-wrap: break-word; min-width: 110px }
tr:last-child td { border-bottom: 0 }
.good { color: var(--good) } .bad { color: var(--bad) }
dl { display: grid; grid-template-columns: fit-content(42%) minmax(0, 1fr); gap: 2px 14px;
  margin: 0; font-size: 14px }
dt { color: var(--muted) } dd { margin: 0; overflow-wrap: anywhere }
dd summary { font-weight: 400; color: inherit; padding: 0 }
pre { font: 12.5px/1.5 ui-monospace, monospace; margin: 8px 0 0; overflow: auto;
  max-height: 480px }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px }
summary { font-weight: 600; color: var(--strong); padding: 4px 0 }
figcaption { font-size: 14px } figcaption b { color: var(--strong); font-weight: 600 }
figcaption .why { margin-bottom: 4px }
figcaption summary { font-weight: 400 }
/* on a phone pictures lie in a row to be swiped, and the page stays short */
@media (max-width: 600px) { .pictures { display: flex; gap: 10px; overflow-x: auto;
  scroll-snap-type: x mandatory; margin: 0 -12px; padding: 0 12px 6px; align-items: start }
  .pictures figure { flex: 0 0 84%; scroll-snap-align: center } }
.pictures { grid-template-columns: repeat(auto-fill, minmax(min(270px, 100%), 1fr)) }
@media (max-width: 600px) { body { padding: 0; margin: 0 12px 24px } .card { padding: 12px }
  h1 { font-size: 22px } th, td { padding: 5px 4px; font-size: 13px }
  th:first-child, td:first-child { min-width: 90px } }
'''


def card(title: str, body: str, note: str = '', width: str = '') -> str:
    """A box with a heading.

    Args:
        title: Text.
        body: HTML.
        note: Text beneath.
        width: ``'wide'``: as the page; ``'double'``: of two boxes where there is room.
    """
    heading = f'<h3>{escape(title)}</h3>' if title else ''
    note = f'<small>{escape(note)}</small>' if note else ''
    return f'<div class="{f"card {width}".strip()}">{heading}{body}{note}</div>\n'


def grid(cards: Iterable[str]) -> str:
    """Boxes beside each other where there is room."""
    return f'<div class="grid">{"".join(cards)}</div>\n'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], tall: bool = False) -> str:
    """A table that scrolls by itself where it is too wide.

    Args:
        head: Text of the columns.
        rows: HTML of the cells.
        tall: Long ones scroll upwards too.
    """
    first = ''.join(f'<th>{escape(text)}</th>' for text in head)
    body = ''.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>\n'
                   for row in rows)
    return (f'<div class="scroll{" tall" if tall else ""}" tabindex="0"><table><thead><tr>{first}'
            f'</tr></thead><tbody>{body}</tbody></table></div>')


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and what they are."""
    rows = ''.join(f'<dt>{escape(str(name))}</dt><dd>{_folded(str(value))}</dd>'
                   for name, value in pairs)
    return f'<dl>{rows}</dl>'


def _folded(text: str) -> str:
    """Text whose end opens on demand where it is long, as how PyTorch was compiled."""
    if len(text) <= 160:
        return escape(text)
    return f'<details><summary>{escape(text[:80].strip())} …</summary>{escape(text)}</details>'


def details(title: str, body: str, is_open: bool = False) -> str:
    """A box that opens on demand."""
    return (f'<details class="card"{" open" if is_open else ""}><summary>{escape(title)}</summary>'
            f'{body}</details>\n')


def breakable(text: str) -> str:
    """A name that may be broken after its slashes and underscores."""
    return escape(text).replace('/', '/<wbr>').replace('_', '_<wbr>')


def percent(value: float | None, digits: int = 1) -> str:
    """A share of 1 in percent; a dash where there is none (COCO says -1)."""
    if value is None or value != value or value < 0:
        return '–'
    return f'{100 * value:.{digits}f}'
