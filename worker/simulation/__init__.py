"""A scripted year in the life of a small network: who posts, offends, reports, appeals and decides, and what came of it."""
