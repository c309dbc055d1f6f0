"""The outside world: what to ask, and how to ask politely. No meaning of a field, no storage, no Prefect."""
