"""How a backend says that it was stopped."""


class Stopped(Exception):
    """The caller's stop event was set."""
