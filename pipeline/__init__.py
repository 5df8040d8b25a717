"""gridwatch: finds hazards on streets by camera and brings each to the grid that must fix it."""

__version__ = "0.1.0"
