"""Drills: what a fork does first, done to a copy of the checkout, to see that it works.

make drill                            both, as CI runs them
python -m tests.drills.remove_posts   one of them; --whole runs every test afterwards, --keep leaves the copy
"""
