"""What tidy tables of vivas say: tables in, tables out, each figure with its interval; no database and no page."""
