"""The command line: click alone; every command parses, calls one engine function and prints."""
