"""Genes and variants: which identifiers mean the same gene, which descriptions the same variant. Knows no patients."""
