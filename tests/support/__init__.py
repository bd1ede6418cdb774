"""What tests with daemons and servers of their own share."""
