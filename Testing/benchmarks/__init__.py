"""Speed and memory against the budgets, and how good the contours are; measured, never asserted in tests."""
