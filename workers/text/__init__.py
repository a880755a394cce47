"""Text at the edges: tokens, templates, steps, answers. Knows nothing about how engines work inside."""
