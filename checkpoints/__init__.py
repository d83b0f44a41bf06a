"""Small weights that ship with the package, each with a card beside it: NAME.keras and NAME.md."""
