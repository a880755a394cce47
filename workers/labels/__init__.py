"""Labels of chains: their faithfulness as known without any metric."""
