"""Scripts that bring tools and stage what is shipped. They import nothing of what they build."""
