"""Ticks over Kafka: what a message is, and how what a topic holds is recorded exactly once. It knows no Django."""
