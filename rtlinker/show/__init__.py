"""Facts to text and pictures."""
