"""Entry point of ``python -m glip_mm``, the same as ``glip-mm``."""

import sys

from glip_mm_cli.main import main

if __name__ == '__main__':
    if 'glip_mm.registry' not in sys.modules:
        del sys.modules['glip_mm']  # an empty shell; a tool imports all of it
    sys.exit(main())
