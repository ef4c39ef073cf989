"""The exam as a pure program: banks, flow, grading, wording, report. No sockets, no audio, no clock of its own."""
