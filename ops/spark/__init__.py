"""Spark over the archive: candles and excursions of years of ticks, by the rules and the functions of the desk."""
