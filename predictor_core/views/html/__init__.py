"""Reports as HTML: a standalone page, and a fragment for notebooks."""

from predictor_core.views.html.page import fragment, page

__all__ = ["fragment", "page"]
