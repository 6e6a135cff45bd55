"""Media: files are loaded and examined beside the posts; what is found enters as `media.signals` records."""
