"""Renders the demo clips of streets and their hazards with Blender."""
