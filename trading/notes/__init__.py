"""The desk's notes of a day: gathered from ledger, health and prices, and raised as alerts when they are due."""
