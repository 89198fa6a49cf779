"""What drives the jobs: `embedded`, one process on any store; `once`, one pass and out."""
