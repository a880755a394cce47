"""How a text is put before a reader: a judge, a monitor or an observer, through any engine."""
