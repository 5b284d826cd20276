"""Curate: choose which rows to train on."""
