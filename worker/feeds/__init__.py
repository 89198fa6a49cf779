"""From a feed's bytes to an article's text: fetch, parse, identify, extract, normalise, and when to poll again."""
