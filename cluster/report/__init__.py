"""The report page, made from estimates and chains."""
