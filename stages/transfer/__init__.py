"""What the DOS transformer gains from other data when labels are few; a command of its own."""
