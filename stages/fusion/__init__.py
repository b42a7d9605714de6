"""Structure-text regression of one scalar property, from the pretrained towers."""
