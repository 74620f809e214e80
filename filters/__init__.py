"""Filters, which judge documents: one file per filter. `filters.contract` defines a filter and explains how to add one."""
