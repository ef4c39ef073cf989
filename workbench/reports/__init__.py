"""Results as files to hand on: PDF, spreadsheets, gradebooks. What a report says is `workbench.exam.report`'s."""
