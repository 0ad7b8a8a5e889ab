"""Controls: set-ups that must fail in a known way, each with a twin that must pass because one thing was repaired.

declared.py    the controls and their twins, as scenarios
naive.py       the processor that some of them need; the factory never imports it
evidence.py    what of a run shows that the control did what it says
campaign.py    several of them on one lab, with repetitions
results.py     what came of them, and the record of it
detection.py   how often each was reported as declared: table and figure
crash.py       every step of a processor's work as a crash point
"""
