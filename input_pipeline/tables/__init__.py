"""Tables of photographs and their labels: columns, codes, masks, one row an example."""
