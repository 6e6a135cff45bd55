"""What people say: reports, appeals, and the decisions of moderators."""
