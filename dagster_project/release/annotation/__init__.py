"""Labels that people give: guidelines, tasks, labels, agreement and adjudication."""
