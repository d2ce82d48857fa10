"""The steps of the panel, top to bottom, each in a file of its own."""
