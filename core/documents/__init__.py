"""Documents for customers: templates beside the code that fills them."""
