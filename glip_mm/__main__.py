"""Entry point of ``python -m glip_mm``, the same as ``glip-mm`` but with a slower start."""

import sys

from glip_mm_cli.main import main

if __name__ == '__main__':
    sys.exit(main())
