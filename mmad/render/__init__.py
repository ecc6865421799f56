"""Made-up people: a data set that anyone can make."""
