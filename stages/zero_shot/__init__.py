"""What the pretrained towers know without further training: retrieval and multiple choice."""
