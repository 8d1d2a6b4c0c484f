"""Public fakes and conformance suites for people who write plug-ins, and for our own tests."""
