"""Past items against new entries."""
