"""Prefect flows over plain steps: harvest and replay, and the engine that runs them without a server."""
