"""Migrations of the schema, one file a version."""
