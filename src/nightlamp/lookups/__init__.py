"""Services that are asked about an item, where hashes never leave the provider."""
