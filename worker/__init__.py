"""`moderator`: judges posts by the Twitter Rules and publishes enforcement actions, with reasons."""

__version__ = "0.1.0"
