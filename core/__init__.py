"""Forbli: subscription operations. See README.md for the map and GLOSSARY.md for the words."""
