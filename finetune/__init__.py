"""Examiner adapters: training, evaluation and promotion. Never imports the socket or the page."""
