"""``python -m tuneatlas.cli``: the command, where it is not on the path."""

import sys

from tuneatlas.cli import main

sys.exit(main())
