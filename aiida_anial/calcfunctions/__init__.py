"""Steps of seconds, each a process that links what it makes to what it was made from."""
