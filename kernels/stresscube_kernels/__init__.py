"""The market and policy steps, written once, and the backends that run them."""
