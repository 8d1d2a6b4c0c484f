"""Stands here so that the kits beside it can be imported from every kind of test."""
