"""Controls: set-ups that must fail in a known way, each with a twin that must pass because one thing was repaired.

The controls and their twins are declared as scenarios, in `scenarios/controls.py`.

naive_processor.py    the processor that some of them need; the factory never imports it
control_evidence.py   what of a run shows that the control did what it says
series.py             scenarios one after the other on one lab
campaign.py           several of them on one lab, with repetitions
control_results.py    what came of them, and the record of it
proving.py            findings of a check of settings, shown with the settings of a file or not
detection.py          how often each was reported as declared: table and figure
crash.py              every step of a processor's work as a crash point
"""
