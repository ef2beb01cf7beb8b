"""How worked cases are put to the product: one module a kind, each translating a case's input and formatting the answer."""
