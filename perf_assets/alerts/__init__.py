"""What is told to people: the content of an alert, the channels that carry it, and its delivery, once and only once."""
