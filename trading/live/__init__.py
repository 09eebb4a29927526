"""What web pages and programs watch: one look for all of them, and streams that end once somebody may look no more."""
