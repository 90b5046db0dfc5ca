"""The ``nn-meter`` command."""
