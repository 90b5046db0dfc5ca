"""nn-Meter's packs (version 1.0 and users' own): loaded safely, reproduced to the digit.

Everything that imitates nn-Meter, faults included, lives here and only here:
`upstream_ir` and `onnx_ir` read a model as it does, `upstream_graph`, `patterns` and `detection` cut it
into kernels as it does, `features` describes them as it does. `pickle_reader`, `sklearn_forest`,
`compact` and `converted` load the forests; `predictor_core.catalog` fetches and lists them.
"""
