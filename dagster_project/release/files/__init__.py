"""Writing an export: its files, its manifest, its folder."""
