"""The pure core: no Faust, sockets, clock, randomness or environment."""
