"""Messages: rendering, which is pure, and the senders that hand them to a channel."""
