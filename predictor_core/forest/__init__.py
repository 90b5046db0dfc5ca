"""Array forests: evaluation in numpy, and the pack file that stores them."""

from predictor_core.forest.arrays import Tree, TreeArrays
from predictor_core.forest.forest import Forest, predict_rows
from predictor_core.forest.pack import Pack, load_pack, save_pack

__all__ = [
    "Forest",
    "Pack",
    "Tree",
    "TreeArrays",
    "load_pack",
    "predict_rows",
    "save_pack",
]
