"""Veille, a news-watch worker: docs/design.md tells the way of the data and who may import whom."""
