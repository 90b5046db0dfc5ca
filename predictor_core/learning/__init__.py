"""From whole-model measurements to the packs: data set, fit, distillation, evaluation.

``python -m predictor_core.learning FOLDER`` does all of it. Needs the extra ``train``.
"""
