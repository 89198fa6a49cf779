"""`python -m worker` is `veille`."""

from worker.cli import main

main()
