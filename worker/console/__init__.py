"""The worker's port: pages, API, one-click answers, health and metrics; and what they and the command line show."""
