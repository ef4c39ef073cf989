"""The educators' pages behind a login at `/educators`; what they show is kept and worked out in `workbench.store`."""

from workbench.web.educators.app import EducatorsPages, build_educators

__all__ = ["EducatorsPages", "build_educators"]
