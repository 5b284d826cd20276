"""The shapes of rows that trainers read: which columns each can be made from, and how."""
