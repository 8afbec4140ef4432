"""Render HTML pages from the templates beside this module; every value is escaped on the way."""

from pathlib import Path
from typing import IO, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from .page_style import GRID, INK, MUTED, PAPER
from .palette import Color, readable_on


def percent(share: float | None, digits: int = 1) -> str:
    """Format a share of 1 in percent; a dash where there is none (COCO says -1)."""
    if share is None or share != share or share < 0:
        return '–'
    return f'{100 * share:.{digits}f}'


def rgb(color: Color) -> str:
    """Format a colour for CSS."""
    return 'rgb({},{},{})'.format(*color)


ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / 'templates'), autoescape=select_autoescape(),
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
ENVIRONMENT.filters.update(percent=percent, readable=readable_on, rgb=rgb,
                           thousands='{:,}'.format)
# the style sheet's, which are those of the figures
ENVIRONMENT.globals.update(ink=INK, muted=MUTED, grid=GRID, paper=PAPER)


def render(template: str, **values: Any) -> Markup:
    """Render a page.

    Args:
        template: Name of the template.
        values: Values by name; strings are text, :class:`~markupsafe.Markup` is HTML.
    """
    return Markup(ENVIRONMENT.get_template(template).render(values))


def write_page(file: IO[bytes], template: str, **values: Any) -> None:
    """Render a page piece by piece into a file, so that its pictures need not fit into memory.

    Args:
        file: Open file.
        template: Name of the template.
        values: Values as of :func:`render`; an iterator is read while the page is written.
    """
    stream = ENVIRONMENT.get_template(template).stream(values)
    stream.enable_buffering(100)
    # file names may hold bytes that are no UTF-8
    stream.dump(file, 'utf-8', 'replace')


def render_macro(template: str, macro: str, *values: Any, **options: Any) -> Markup:
    """Render one macro of a template.

    Args:
        template: Name of the template.
        macro: Name of the macro.
        values: Arguments of the macro.
        options: Named arguments of the macro.
    """
    return getattr(ENVIRONMENT.get_template(template).module, macro)(*values, **options)
