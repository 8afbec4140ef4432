"""The look of every HTML page: light or dark as the reader's device is, for any width."""

#: Colours that Matplotlib draws with, and the custom property that stands for each in a page.
INK, MUTED, GRID, PAPER = '#3f3f46', '#71717a', '#d4d4d8', '#fafaf9'
PROPERTIES = {INK: '--ink', MUTED: '--muted', GRID: '--line', PAPER: '--card'}

STYLE = f'''
:root {{ color-scheme: light dark; --ink: {INK}; --muted: {MUTED}; --line: {GRID}; --card: {PAPER};
  --page: #e4e4e7; --strong: #18181b; --good: #15803d; --bad: #b91c1c; --link: #1d4ed8 }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #d4d4d8; --muted: #a1a1aa; --line: #3f3f46;
  --card: #27272a; --page: #18181b; --strong: #fafafa; --good: #4ade80; --bad: #f87171;
  --link: #93c5fd }} }}
* {{ box-sizing: border-box }}
body {{ font: 15px/1.6 system-ui, sans-serif; margin: 24px; color: var(--ink);
  background: var(--page); -webkit-text-size-adjust: 100% }}
h1 {{ font-size: 20px; margin: 0; color: var(--strong); overflow-wrap: anywhere }}
a {{ color: var(--link) }}
.pictures {{ display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)) }}
figure {{ margin: 0; background: var(--card); border-radius: 6px; overflow: hidden; min-width: 0 }}
img {{ width: 100%; height: auto; display: block }}
figcaption, .error {{ padding: 8px 12px; overflow-wrap: anywhere }}
mark {{ border-radius: 4px; padding: 1px 4px; -webkit-box-decoration-break: clone;
  box-decoration-break: clone }}
.none, small {{ color: var(--muted) }}
small {{ display: block }}
td {{ padding-right: 12px; font-size: 13px; font-variant-numeric: tabular-nums }}
.error {{ color: var(--bad) }}
summary {{ cursor: pointer }}
@media (max-width: 600px) {{ body {{ margin: 12px }} }}
'''


# a box with its word; without an icon a browser asks the server for one
_ICON = ('data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22'
         '%3E%3Cpath d=%22M2 2h12v12H2z%22 fill=%22none%22 stroke=%22%231d78e5%22 stroke-width=%222'
         '%22/%3E%3Cpath d=%22M1 1h9v5H1z%22 fill=%22%231d78e5%22/%3E%3C/svg%3E')


def page_head(title: str, style: str = '') -> str:
    """The head of a page up to its body.

    Args:
        title: HTML, escaped.
        style: More CSS.
    """
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<link rel="icon" href="{_ICON}">\n'
            f'<title>{title}</title>\n<style>{STYLE}{style}</style></head><body>\n')
