"""What the desk's pages and the admin share: forms that people fill in, files that they download."""
