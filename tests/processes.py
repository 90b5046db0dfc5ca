"""What tests share that start processes of their own."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Let a new process end by Ctrl-C, which one of a shell's background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
