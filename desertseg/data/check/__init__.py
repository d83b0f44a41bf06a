"""What is wrong with a data set, and how to mend it: files, pairs, masks, ids, duplicates, splits."""

from desertseg.data.check.findings import Finding, Repair, Report
from desertseg.data.check.fix import fix_dataset
from desertseg.data.check.gather import Gathered, gather
from desertseg.data.check.quick import check_quickly
from desertseg.data.check.run import check_dataset

__all__ = ["Finding", "Gathered", "Repair", "Report", "check_dataset", "check_quickly", "fix_dataset", "gather"]
