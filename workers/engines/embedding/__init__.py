"""The engine that turns texts into sentence embeddings."""
