"""Every query. A function here is one transaction or part of one; nothing else in the tree says SELECT."""
