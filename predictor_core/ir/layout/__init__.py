"""Layout: channels-first nodes become a channels-last Graph."""

from predictor_core.ir.layout.convert import channels_last

__all__ = ["channels_last"]
