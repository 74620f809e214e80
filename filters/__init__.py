"""How documents are judged: one file a filter. See `filters.contract` for what a filter is and how one is added."""
