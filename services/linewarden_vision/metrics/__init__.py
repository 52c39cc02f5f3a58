"""Decision-linked metrics on torchmetrics' interface; a rate without evidence is not a number."""
