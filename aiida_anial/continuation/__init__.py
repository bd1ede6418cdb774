"""Campaigns that go on from what others have done."""
