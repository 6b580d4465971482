"""Tests that drive the running app in Chromium."""
