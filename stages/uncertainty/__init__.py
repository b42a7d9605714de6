"""How sure the DOS transformer is: an ensemble and dropout against the errors; a command of its own."""
