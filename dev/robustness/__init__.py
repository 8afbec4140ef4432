"""Attacks on what reads data of users, and what is right in each of them."""
