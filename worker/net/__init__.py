"""The network: the only owner of httpx and httpcore, with the address guard and the limits; and URLs."""
