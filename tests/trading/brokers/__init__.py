"""Readers of brokers' files."""
