"""Archives of the toolchains as a corpus: every member linked alone at a pretended address."""
