"""Videos that browsers play, beside the pages that show them."""
