"""Words and numbers in the reader's language: one translation function for screens and documents, formats by locale.

The source language is English: a sentence's English template is its key. `nb/*.po` hold bokmål, one gettext catalogue an
area. Values that stand in the database as words ("per_unit", "half_year") are translated by `label`: their entries carry
the context "value" and stand in `values.po`, in English too where the word alone would not do.
"""

from core.language.catalogue import LANGUAGES, label, sentence, translate

__all__ = ["LANGUAGES", "label", "sentence", "translate"]
