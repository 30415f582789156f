"""Who may come in, and with how much: quotas, budgets and conversations around each decision."""
