"""Syntax: constituency trees, tasks on them, and syntactically controlled paraphrasing."""
