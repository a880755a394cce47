"""Two models on the same items, such as one before and after it was trained further: what changed, item by item."""
