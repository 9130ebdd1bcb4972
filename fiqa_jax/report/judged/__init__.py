"""The report of judged photographs: one page to sort, look at, decide and print from."""
