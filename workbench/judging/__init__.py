"""Judges that need a model, and the registry of all: question and answer in; evidence, verdict and marks out.

The keyword judge, which needs none, lives in `workbench.exam.grading`.
"""
