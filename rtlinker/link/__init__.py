"""Objects to an image: resolve, scan, lay out, relocate; pure up to the reservation."""
