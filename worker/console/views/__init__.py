"""Answers as plain objects: pages and commands draw them, the API and `--json` give them as they are."""
