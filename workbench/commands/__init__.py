"""One file per command of `viva`; each parses options, calls the library and prints. No logic lives here.

A module either holds `app`, a `typer.Typer` with sub-commands (`viva models pull`), or a function of its own
name that becomes the command (`viva doctor`), with typer's `CONTEXT_SETTINGS` where it has some.
Heavy imports belong inside the functions: `viva --help` imports every module here.
"""
