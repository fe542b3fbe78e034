"""What the deployables share: the language, the decisions, and how decisions are performed."""
