"""The read API over the current publication. It never writes and never asks the outside world."""
