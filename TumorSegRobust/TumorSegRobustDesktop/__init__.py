"""What the desktop panel needs of Slicer: place mode, DICOM database, installer, event loop."""
