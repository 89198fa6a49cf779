"""A text as Veille reads it: its words, copies of it, the stories it tells, and the archive. Pure."""
