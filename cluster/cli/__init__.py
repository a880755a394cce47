"""The command line: one file a command, and its tables in the terminal."""
