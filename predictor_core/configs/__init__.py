"""The list of predictors that the package knows."""
