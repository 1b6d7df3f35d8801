"""`run | plan | status | verify | accept | describe`."""
