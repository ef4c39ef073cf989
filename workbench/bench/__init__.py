"""Measurements a stranger can repeat: each module measures one thing and returns plain JSON-able dicts."""
