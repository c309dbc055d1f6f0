"""A small, honest double of GitHub's REST API and of PyPI on loopback, for the demo, the tests and the benchmarks."""
