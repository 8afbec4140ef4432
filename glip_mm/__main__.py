"""``python -m glip_mm`` is ``glip-mm``; importing the package first makes it slower."""

import sys

from glip_mm_cli.main import main

if __name__ == '__main__':
    sys.exit(main())
