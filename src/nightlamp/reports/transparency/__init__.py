"""Figures for a public report: how much was found, by what, what was done, what was reported, and how soon.

Promises: counts below the threshold are not shown, nor can they be computed from the others of their table.
Takes a range of months. Gives figures, CSV, JSON, and a page that stands alone, without scripts. Must never
name an item, an account, a case or an entry.
"""

from nightlamp.reports.transparency.counting import Cell, Figures, Median, figures
from nightlamp.reports.transparency.page import page
from nightlamp.reports.transparency.writing import as_json, csv_text

__all__ = ["Cell", "Figures", "Median", "as_json", "csv_text", "figures", "page"]
