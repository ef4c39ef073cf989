"""Simulated candidates: they speak or type, sit whole vivas over the socket like anybody else, and time what they hear.

Nothing here reaches into a server: a simulated candidate knows the protocol and the question banks, no more.
"""
