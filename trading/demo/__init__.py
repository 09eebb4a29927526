"""The sessions before the demo's day: made up, recorded by the ways that a desk's own history would come in by."""
