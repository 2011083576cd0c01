"""Reports to authorities that arrive exactly once, and evidence that holds."""
