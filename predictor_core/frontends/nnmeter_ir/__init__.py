"""The nn-Meter IR: a JSON object from node name to inbounds, outbounds and attributes."""

from predictor_core.frontends.nnmeter_ir.document import read_document
from predictor_core.frontends.nnmeter_ir.read import load
from predictor_core.frontends.nnmeter_ir.write import dump, to_document

__all__ = ["dump", "load", "read_document", "to_document"]
