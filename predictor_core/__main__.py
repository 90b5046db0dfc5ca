"""``python -m predictor_core``: the command ``nn-meter``."""

import sys

from predictor_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
