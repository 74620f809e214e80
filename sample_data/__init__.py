"""Sample data written for this project: a small web crawl, its page sources, and invented benchmark questions."""
