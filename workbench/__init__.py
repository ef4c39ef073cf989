"""The workbench: an examiner that listens, asks, judges and reports. Nothing here trains a model (see `finetune`)."""

__version__ = "0.1.0"
